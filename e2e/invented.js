// A server that has the page of a real agent, and invents what happens in a cluster as large as one likes.

import http from 'node:http';

const STATES = ['alive', 'suspect', 'dead', 'left'];
/** What is decided of a member that comes into a state. */
const CHANGES = { alive: 'recovered', suspect: 'suspected', dead: 'failed', left: 'left' };

export class InventedCluster {
  #watchers = new Set();
  #forwards = new Set();
  #version = 1;
  #members;
  #server;

  /** `base` is where the page is. */
  constructor(base, size) {
    this.#members = Array.from({ length: size }, (_, number) => inventMember(number));
    this.#server = http.createServer((request, response) => this.#answer(base, request, response));
  }

  async listen() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Where its page is. */
  get page() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /**
   * Takes nothing more, and waits for what the agent is still asked. A browser asks for an icon whenever it likes, and an agent that
   * ends meanwhile would be blamed for it.
   */
  async close() {
    this.#server.close();
    this.#server.closeAllConnections();
    await Promise.all(this.#forwards);
  }

  /** So many changes, evenly over a time. */
  async change(perSecond, seconds) {
    const begun = Date.now();
    let told = 0;
    while (told < perSecond * seconds) {
      const due = Math.min(perSecond * seconds, Math.floor(((Date.now() - begun) / 1000) * perSecond));
      while (told < due) {
        this.#changeOne();
        told += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return told;
  }

  /** Says that a member has another state. */
  tell(place, state) {
    const change = this.#become(place, state);
    this.#tell('change', change);
  }

  /** A member changes, and the word of it gets lost. */
  lose(place, state) {
    this.#become(place, state);
  }

  /** What an agent says to a watcher who was too slow: how much went by, and everything anew. */
  tellGap(missed) {
    this.#tell('gap', { missed });
    this.#tell('snapshot', this.#snapshot());
  }

  /** Says that a member does not answer to packets any more and lives, or, without a kind, that it answers again. */
  tellLink(place, kind = null) {
    const { name, degraded } = this.#members[place];
    const at = new Date().toISOString();
    const link = { name, kind: kind ?? degraded.kind, since: degraded?.since ?? `${at.slice(0, 19)}Z` };
    this.#members[place] = { ...this.#members[place], degraded: kind === null ? null : { kind, since: link.since } };
    const decision = kind === null ? 'link_restored' : 'link_degraded';
    this.#tell('decision', { at, first: at, times: 1, kind: decision, text: `${decision}: as it was invented`, [decision]: link });
  }

  /** How many watch now. */
  get watchers() {
    return this.#watchers.size;
  }

  #changeOne() {
    this.tell(Math.floor(Math.random() * this.#members.length), STATES[Math.floor(Math.random() * STATES.length)]);
  }

  #become(place, state) {
    this.#version += 1;
    const at = new Date().toISOString();
    const member = { ...this.#members[place], state, since: `${at.slice(0, 19)}Z` };
    this.#members[place] = member;
    return { version: this.#version, member, decision: inventDecision(member, CHANGES[state], at) };
  }

  #tell(kind, data) {
    for (const watcher of this.#watchers) watcher.write(spellEvent(kind, data));
  }

  #answer(base, request, response) {
    if (request.url === '/v1/watch') return this.#watch(response);
    if (request.url === '/v1/recorder') return json(response, { now: new Date().toISOString(), decisions: [], dropped: null });
    return this.#forward(base, request, response);
  }

  /** An agent that does not answer fails the test. */
  async #forward(base, request, response) {
    const forwarded = forward(base, request, response);
    this.#forwards.add(forwarded);
    await forwarded;
    this.#forwards.delete(forwarded);
  }

  #watch(response) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(spellEvent('snapshot', this.#snapshot()));
    this.#watchers.add(response);
    const status = setInterval(() => response.write(spellEvent('status', this.#status())), 1000);
    const rtts = setInterval(() => response.write(spellEvent('rtts', this.#rtts())), 5000);
    response.on('close', () => {
      this.#watchers.delete(response);
      clearInterval(status);
      clearInterval(rtts);
    });
  }

  #snapshot() {
    return { version: this.#version, now: new Date().toISOString(), members: this.#members };
  }

  #status() {
    const members = Object.fromEntries(STATES.map((state) => [state, this.#members.filter((member) => member.state === state).length]));
    const traffic = { datagrams_in: 0, datagrams_out: 0, datagram_bytes_in: 0, datagram_bytes_out: 0, stream_bytes_in: 0, stream_bytes_out: 0 };
    const view = { version: this.#version, fingerprint: '0'.repeat(16), agreeing: 0, told: 0 };
    const missing = { failed: members.dead, seeds: 0, remembered: 0 };
    const degraded = this.#members.filter((member) => member.degraded).length;
    return { at: new Date().toISOString(), health: 0, members, view, missing, degraded, queued: 0, lag_ms: 1, traffic, warnings: [] };
  }

  #rtts() {
    return Object.fromEntries(this.#members.map(({ name, rtt_ms }) => [name, rtt_ms * (0.9 + Math.random() * 0.2)]));
  }
}

function inventMember(number) {
  return {
    name: `node-${number}`, address: `10.0.${number >> 8}.${number & 255}:7946`, state: 'alive',
    tags: { role: number % 3 === 0 ? 'web' : 'db', zone: `eu-${number % 4}` }, incarnation: number,
    since: new Date().toISOString(), rtt_ms: 0.2 * 1.7 ** (number % 17), degraded: null,
  };
}

function inventDecision(member, change, at) {
  const evidence = { cause: 'accused', incarnation: member.incarnation, before: 'alive', via: 'packet', peer: member.address, last_ack_ms: 1, lag_ms: 0 };
  const { name, state, incarnation, address } = member;
  return { at, first: at, times: 1, kind: 'member', text: `${change}: as it was invented`, member: { name, change, state, incarnation, address, evidence } };
}

function spellEvent(kind, data) {
  return `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
}

function json(response, data) {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(data));
}

/** What is not invented is the agent's, its headers included. */
async function forward(base, request, response) {
  const answer = await fetch(`${base}${request.url}`);
  const headers = Object.fromEntries(answer.headers);
  for (const name of ['content-length', 'content-encoding', 'transfer-encoding']) delete headers[name];
  response.writeHead(answer.status, headers);
  response.end(Buffer.from(await answer.arrayBuffer()));
}

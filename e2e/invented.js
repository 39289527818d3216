// A server that has the page of a real agent, and invents what happens in a cluster as large as one likes.

import http from 'node:http';

const STATES = ['alive', 'suspect', 'dead', 'left'];
const CHANGES = ['recovered', 'suspected', 'failed', 'left'];

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

  #changeOne() {
    this.#version += 1;
    const place = Math.floor(Math.random() * this.#members.length);
    const step = Math.floor(Math.random() * STATES.length);
    const at = new Date().toISOString();
    const member = { ...this.#members[place], state: STATES[step], since: `${at.slice(0, 19)}Z` };
    this.#members[place] = member;
    this.#tell('change', { version: this.#version, member, decision: inventDecision(member, CHANGES[step], at) });
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
    response.write(spellEvent('snapshot', { version: this.#version, now: new Date().toISOString(), members: this.#members }));
    this.#watchers.add(response);
    const status = setInterval(() => response.write(spellEvent('status', this.#status())), 1000);
    const rtts = setInterval(() => response.write(spellEvent('rtts', this.#rtts())), 5000);
    response.on('close', () => {
      this.#watchers.delete(response);
      clearInterval(status);
      clearInterval(rtts);
    });
  }

  #status() {
    const members = Object.fromEntries(STATES.map((state) => [state, this.#members.filter((member) => member.state === state).length]));
    const traffic = { datagrams_in: 0, datagrams_out: 0, datagram_bytes_in: 0, datagram_bytes_out: 0, stream_bytes_in: 0, stream_bytes_out: 0 };
    const view = { version: this.#version, fingerprint: '0'.repeat(16), agreeing: 0, told: 0 };
    const missing = { failed: members.dead, seeds: 0, remembered: 0 };
    return { at: new Date().toISOString(), health: 0, members, view, missing, degraded: 0, queued: 0, lag_ms: 1, traffic, warnings: [] };
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

// Real agents on free ports of the loopback, and their end.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import readline from 'node:readline';

const BINARY = process.env.AGENT_TO_TRY ?? fileURLToPath(new URL('../target/release/mingle', import.meta.url));
const ANY = '127.0.0.1:0';
const READY_MS = 15_000;

export class Cluster {
  agents = new Map();

  /** One agent, a. */
  static async one() {
    const cluster = new Cluster();
    await cluster.start('a');
    return cluster;
  }

  /** Five agents that know each other: a, b, c, d and one more, named `last`. */
  static async five(last = 'e') {
    const cluster = await Cluster.one();
    const others = [['b', ['role=web']], ['c', ['role=db']], ['d', ['role=web']], [last, []]];
    await Promise.all(others.map(([name, tags]) => cluster.join(name, tags)));
    return cluster;
  }

  get first() {
    return this.agents.get('a');
  }

  /** Where the page is. */
  get page() {
    return `http://${this.first.http}`;
  }

  join(name, tags = []) {
    return this.start(name, { more: ['--join', this.first.gossip, ...tags.flatMap((tag) => ['--tag', tag])] });
  }

  async start(name, { http = ANY, more = [] } = {}) {
    const options = ['--name', name, '--bind', ANY, '--http', http, '--profile', 'local', '--json', ...more];
    const child = spawn(BINARY, ['agent', ...options], { stdio: ['ignore', 'pipe', 'ignore'] });
    const agent = { name, child, ended: once(child, 'exit') };
    this.agents.set(name, agent);
    Object.assign(agent, await readiness(child));
    return agent;
  }

  /** What the command says that asks an agent. */
  async run(name, ...words) {
    const { stdout } = await promisify(execFile)(BINARY, [...words, '--http', this.agents.get(name).http]);
    return stdout;
  }

  /** What an agent answers over HTTP. */
  async ask(name, path) {
    const response = await fetch(`http://${this.agents.get(name).http}${path}`);
    return response.json();
  }

  /** As when the power fails. */
  async kill(name) {
    const { child, ended } = this.agents.get(name);
    child.kill('SIGKILL');
    await ended;
  }

  /** With a goodbye. */
  async leave(name) {
    const { child, ended } = this.agents.get(name);
    child.kill('SIGTERM');
    await ended;
  }

  async end() {
    const agents = [...this.agents.values()];
    for (const { child } of agents) child.kill('SIGKILL');
    await Promise.all(agents.map(({ ended }) => ended));
  }
}

/** The line in which an agent says that it is ready, and where. */
async function readiness(child) {
  const lines = readline.createInterface({ input: child.stdout });
  const signal = AbortSignal.timeout(READY_MS);
  const ended = once(child, 'exit', { signal }).then(([code]) => Promise.reject(new Error(`the agent ended with ${code}`)));
  const ready = once(lines, 'line', { signal }).then(([line]) => JSON.parse(line));
  ended.catch(() => {});
  return Promise.race([ready, ended]);
}

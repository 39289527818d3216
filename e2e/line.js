// What is between a browser and an agent: a server that passes everything on, until a test cuts it.

import http from 'node:http';
import { once } from 'node:events';
import { pipeline } from 'node:stream';

export class Line {
  /** With which `Last-Event-ID` events were asked for, each time; `null` is without one. */
  watches = [];
  /** How often the page asked who its agent is. It does after each snapshot. */
  asked = 0;
  #host;
  #port;
  #server = http.createServer((request, response) => void this.#take(request, response));
  #answers = new Set();
  #isWhole = Promise.resolve();
  #mend = () => {};

  /** `address` is where the agent answers. */
  constructor(address) {
    [this.#host, this.#port] = address.split(':');
  }

  async open() {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
  }

  /** Where the page is. */
  get page() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Ends all connections, as when a proxy is started anew. What is asked from here on waits. */
  cut() {
    this.#isWhole = new Promise((resolve) => (this.#mend = resolve));
    this.#server.closeAllConnections();
  }

  /** Nothing passes any more and nobody is told, as when a cable is pulled. */
  hush() {
    this.#isWhole = new Promise((resolve) => (this.#mend = resolve));
    for (const answer of this.#answers) answer.pause();
  }

  mend() {
    this.#mend();
    for (const answer of this.#answers) answer.resume();
  }

  async close() {
    this.#mend();
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #take(request, response) {
    if (request.url === '/v1/watch') this.watches.push(request.headers['last-event-id'] ?? null);
    if (request.url === '/v1/self') this.asked += 1;
    await this.#isWhole;
    if (response.destroyed) return;
    const { url: path, method, headers } = request;
    const passed = http.request({ host: this.#host, port: this.#port, path, method, headers, agent: false });
    passed.on('response', (answer) => this.#pass(answer, response));
    // An agent that is gone says nothing.
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  }

  #pass(answer, response) {
    response.writeHead(answer.statusCode, answer.headers);
    this.#answers.add(answer);
    // Either end ends the other, and that is all there is to an error here.
    pipeline(answer, response, () => this.#answers.delete(answer));
  }
}

// A page that is watched while it is tested, and a cluster that ends with the test.

import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test as base, expect } from '@playwright/test';
import { Cluster } from './cluster.js';
import { InventedCluster } from './invented.js';
import { Line } from './line.js';

/** What the browser logs by itself when the agent is gone. */
const LOST = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/;

/** The files of the page, while one works on them. */
const PAGE_FILES = process.env.MINGLE_PAGE_FILES;

export const test = base.extend({
  /** Whether the agent goes away in the test. */
  losesAgent: [false, { option: true }],

  /** The name of the fifth member. */
  lastName: ['e', { option: true }],

  /** Whether one agent is enough, as the others are invented. */
  isAlone: [false, { option: true }],

  // It asks for what it may talk to, so that all of that outlives it.
  page: async ({ page, cluster, invent, lineTo, losesAgent }, use) => {
    const troubles = [];
    page.on('pageerror', (error) => troubles.push(`error: ${error.stack}`));
    page.on('dialog', (dialog) => troubles.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
    page.on('console', (message) => {
      const isExpected = losesAgent && LOST.test(message.text());
      // Violations of the content security policy are logged as errors too.
      if (message.type() === 'error' && !isExpected) troubles.push(`console: ${message.text()}`);
    });
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => console.error(`violated: ${event.violatedDirective}`));
    });
    if (PAGE_FILES) await page.route(/^[^?#]*\/(page\/[^/]*)?([?#].*)?$/, servePageFile);
    await use(page);
    expect(troubles).toEqual([]);
    await page.close();
  },

  /** Makes a cluster of so many invented members, with the page of the agent, and gives it back. */
  invent: async ({ cluster }, use) => {
    const invented = [];
    await use(async (size) => {
      const made = new InventedCluster(cluster.page, size);
      invented.push(made);
      await made.listen();
      return made;
    });
    await Promise.all(invented.map((made) => made.close()));
  },

  /** Makes a line to an agent that can be cut. */
  lineTo: async ({ cluster }, use) => {
    const lines = [];
    await use(async (name) => {
      const line = new Line(cluster.agents.get(name).http);
      lines.push(line);
      await line.open();
      return line;
    });
    await Promise.all(lines.map((line) => line.close()));
  },

  cluster: async ({ lastName, isAlone }, use, testInfo) => {
    const cluster = isAlone ? await Cluster.one() : await Cluster.five(lastName);
    await use(cluster);
    if (testInfo.status !== testInfo.expectedStatus) await attachDecisions(cluster, testInfo);
    await cluster.end();
  },
});

export { expect };

/** A file of the page as it is in the sources now, with the headers of the one that the agent has. */
async function servePageFile(route) {
  const name = path.basename(new URL(route.request().url()).pathname) || 'index.html';
  const body = await readFile(path.join(PAGE_FILES, name));
  await route.fulfill({ response: await route.fetch(), body });
}

/** What the agents decided, for those who look for the cause of a failure. */
async function attachDecisions(cluster, testInfo) {
  for (const { name, child } of cluster.agents.values()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const { decisions } = await cluster.ask(name, '/v1/recorder');
    const lines = decisions.map(({ at, member, text }) => `${at} ${member?.name ?? ''} ${text}`);
    await testInfo.attach(`what ${name} decided`, { body: lines.join('\n'), contentType: 'text/plain' });
  }
}

/** The row of a member in the table. */
export function row(page, name) {
  return page.locator('#members-body tr').filter({ has: page.getByRole('button', { name, exact: true }) });
}

/** The entries of the timeline. */
export function entries(page) {
  return page.locator('#timeline-list li');
}

/** Opens the page of a cluster, or at the end of a line, and waits until all five are there. */
export async function openPage(page, { page: base }, hash = '') {
  await page.goto(`${base}/${hash}`);
  await expect(page.locator('#members-body tr[data-state="alive"]')).toHaveCount(5);
}

/** Keeps a picture when somebody wants one. */
export async function picture(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
}

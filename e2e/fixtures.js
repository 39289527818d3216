// A page that is watched while it is tested, and a cluster that ends with the test.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { test as base, expect } from '@playwright/test';
import { Cluster } from './cluster.js';
import { InventedCluster } from './invented.js';

/** What the browser logs by itself when the agent is gone. */
const LOST = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/;

export const test = base.extend({
  /** Whether the agent goes away in the test. */
  losesAgent: [false, { option: true }],

  /** The name of the fifth member. */
  lastName: ['e', { option: true }],

  // It asks for what it may talk to, so that all of that outlives it.
  page: async ({ page, cluster, invent, losesAgent }, use) => {
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

  cluster: async ({ lastName }, use) => {
    const cluster = await Cluster.five(lastName);
    await use(cluster);
    await cluster.end();
  },
});

export { expect };

/** The row of a member in the table. */
export function row(page, name) {
  return page.locator('#members-body tr').filter({ has: page.getByRole('button', { name, exact: true }) });
}

/** Opens the page and waits until all five are there. */
export async function openPage(page, cluster, hash = '') {
  await page.goto(`${cluster.page}/${hash}`);
  await expect(page.locator('#members-body tr[data-state="alive"]')).toHaveCount(5);
}

/** Keeps a picture when somebody wants one. */
export async function picture(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
}

// What axe finds in the page that keeps people from using it.

import axe from 'axe-core';
import { expect, openPage, row, test } from './fixtures.js';

const VIEWS = ['members', 'timeline', 'map', 'vitals'];

test.use({ losesAgent: true });

test('nothing is in the way of anybody, on a desk', async ({ page, cluster }) => {
  await openPage(page, cluster, '#sort=name');
  await page.evaluate(axe.source);
  await expectAccessible(page, 'all alive');
  await cluster.kill('b');
  await expect(row(page, 'b')).toHaveAttribute('data-state', 'dead');
  await row(page, 'b').click();
  await expect(page.locator('#detail .hints li')).not.toHaveCount(0);
  await expectAccessible(page, 'why one is dead');
  await page.keyboard.press('Escape');
  await page.getByRole('searchbox').fill('nobody');
  await cluster.kill('a');
  await expect(page.getByRole('alert')).toContainText('The agent does not answer');
  await expectAccessible(page, 'nobody is shown, and the agent is lost');
});

test('nothing is in the way of anybody, on a phone', async ({ page, cluster }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await openPage(page, cluster);
  await page.evaluate(axe.source);
  for (const view of VIEWS) {
    await page.locator('#views').getByRole('button', { name: view }).click();
    await expectAccessible(page, view);
  }
  await page.locator('#views').getByRole('button', { name: 'members' }).click();
  await row(page, 'b').click();
  await expect(page.locator('#detail .decisions li')).not.toHaveCount(0);
  await expectAccessible(page, 'why');
});

/** axe finds nothing. What does not depend on the theme is looked at once. */
async function expectAccessible(page, what) {
  await page.emulateMedia({ colorScheme: 'light' });
  expect(await violations(page, {}), what).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await violations(page, { runOnly: ['color-contrast'] }), `${what} in the dark`).toEqual([]);
}

async function violations(page, options) {
  const found = await page.evaluate((how) => globalThis.axe.run(how), { resultTypes: ['violations'], ...options });
  return found.violations.flatMap(({ id, impact, nodes }) => nodes.map(({ html, failureSummary }) => `${id} (${impact}): ${html}\n${failureSummary}`));
}

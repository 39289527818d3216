// What axe finds in the page that keeps people from using it.

import axe from 'axe-core';
import { expect, openPage, row, test } from './fixtures.js';

const SCREENS = { desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const VIEWS = ['members', 'timeline', 'map', 'vitals'];

test.use({ losesAgent: true });

for (const [screen, viewport] of Object.entries(SCREENS)) {
  test(`nothing is in the way of anybody, on a ${screen}`, async ({ page, cluster }) => {
    await page.setViewportSize(viewport);
    await openPage(page, cluster, '#sort=name');
    await page.evaluate(axe.source);
    for (const view of screen === 'desk' ? ['members'] : VIEWS) {
      if (screen !== 'desk') await page.locator('#views').getByRole('button', { name: view }).click();
      await expectAccessible(page, view);
    }
    if (screen !== 'desk') await page.locator('#views').getByRole('button', { name: 'members' }).click();
    await cluster.kill('b');
    await expect(row(page, 'b')).toHaveAttribute('data-state', 'dead');
    await row(page, 'b').click();
    await expect(page.locator('#detail .hints li')).not.toHaveCount(0);
    await expectAccessible(page, 'why');
    await page.keyboard.press('Escape');
    await page.getByRole('searchbox').fill('nobody');
    await expectAccessible(page, 'nobody');
    await cluster.kill('a');
    await expect(page.getByRole('alert')).toContainText('The agent does not answer');
    await expectAccessible(page, 'lost');
  });
}

/** axe finds nothing. What does not depend on the theme is looked at once. */
async function expectAccessible(page, what) {
  await page.emulateMedia({ colorScheme: 'light' });
  expect(await violations(page, {}), what).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await violations(page, { runOnly: ['color-contrast'] }), `${what} in the dark`).toEqual([]);
}

async function violations(page, options) {
  const found = await page.evaluate((how) => globalThis.axe.run(how), options);
  return found.violations.flatMap(({ id, impact, nodes }) => nodes.map(({ html, failureSummary }) => `${id} (${impact}): ${html}\n${failureSummary}`));
}

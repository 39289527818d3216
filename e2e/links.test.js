// A link that loses packets, between real agents.

import { entries, expect, openPage, picture, row, test } from './fixtures.js';
import { CANNOT, dropNothing, dropPackets } from './links.js';

test.describe('on a network of its own', () => {
  test.skip(CANNOT !== null, CANNOT ?? '');
  test.afterEach(dropNothing);

  test('a link on which packets get lost is shown, and shown as good again', async ({ page, cluster }) => {
    await openPage(page, cluster, '#member=b');
    const link = row(page, 'b').locator('.c-link');
    await expect(link).toBeEmpty();
    dropPackets(cluster.first, cluster.agents.get('b'));

    await expect(link).toHaveText('helpers only');
    await expect(page.locator('#detail .facts')).toContainText('helpers only since');
    await expect(page.locator('.map path.degraded')).toHaveCount(1);
    await expect(page.getByRole('listbox').getByRole('option', { name: /^b: alive, .*, helpers only$/ })).toHaveCount(1);
    await expect(entries(page).filter({ has: page.locator('.mark[data-state="degraded"]') })).toHaveText([/b .*helpers/]);
    await expect(page.getByRole('img', { name: /^Degraded links: now 1;/ })).toBeVisible();
    await expect(row(page, 'b')).toHaveAttribute('data-state', 'alive');
    await page.getByRole('button', { name: 'Link', exact: true }).click();
    await expect(page.locator('#members-body .name').first()).toHaveText('b');
    await picture(page, 'degraded');

    dropNothing();
    await expect(link).toBeEmpty();
    await expect(page.locator('#detail .facts')).toContainText('no loss noticed');
    await expect(page.locator('.map path.degraded')).toHaveCount(0);
    await expect(page.getByRole('img', { name: /^Degraded links: now 0;/ })).toBeVisible();
  });
});

test.describe('as it was invented', () => {
  test.use({ isAlone: true });

  test('a link on which streams alone get through is shown', async ({ page, invent }) => {
    const invented = await invent(20);
    await page.goto(invented.page);
    await expect(page.locator('#members-shown')).toHaveText('20 shown');
    invented.tellLink(4, 'streams_only');
    const link = row(page, 'node-4').locator('.c-link');
    await expect(link).toHaveText('streams only');
    await expect(link).toHaveAttribute('title', /^packets get lost since /);
    await expect(page.locator('.map path.degraded')).toHaveCount(1);
    await expect(page.getByRole('img', { name: /^Degraded links: now 1;/ })).toBeVisible();
    invented.tellLink(4);
    await expect(link).toBeEmpty();
    await expect(page.locator('.map path.degraded')).toHaveCount(0);
    await expect(entries(page)).toHaveText([/node-4 link_restored: /, /node-4 link_degraded: /]);
  });
});

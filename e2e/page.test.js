// The page of an agent, with a cluster of five.

import { entries, expect, openPage, picture, row, test } from './fixtures.js';

const names = (page) => page.locator('#members-body .name').allTextContents();

test('all five are alive and agree', async ({ page, cluster }) => {
  await openPage(page, cluster);
  await expect(page.locator('#agent-name')).toHaveText('a');
  await expect(page.locator('#agreement')).toHaveText('agreed by 4 of 4');
  await expect(page.locator('#tally li').first()).toHaveText('5 alive');
  await expect(row(page, 'b')).toContainText('role=web');
  await expect(row(page, 'a')).toContainText('this agent');
  await expect(page.locator('.map [role="option"]')).toHaveCount(4);
  await expect(page.locator('.vitals svg')).toHaveCount(7);
  await expect(page.getByRole('img', { name: /^Alive: now 5/ })).toBeVisible();
  await expect(page.locator('#banner')).toBeHidden();
  await picture(page, 'alive');
});

test('a member that fails, comes back and leaves is shown with the reasons', async ({ page, cluster }) => {
  await openPage(page, cluster);
  await cluster.kill('c');
  await expect(row(page, 'c')).toHaveAttribute('data-state', 'suspect');
  await expect(row(page, 'c')).toHaveAttribute('data-state', 'dead');
  await expect(entries(page).filter({ hasText: /c suspected: / })).toHaveCount(1);
  await expect(entries(page).filter({ hasText: /c failed: / })).toHaveCount(1);
  await expect(page.locator('#tally')).toContainText('1 dead');
  await expect(page.locator('.map path.dead')).toHaveCount(1);
  await expect(page.locator('#announcer')).toContainText('c failed');
  await picture(page, 'failed');

  await cluster.join('c');
  await expect(row(page, 'c')).toHaveAttribute('data-state', 'alive');
  await cluster.leave('d');
  await expect(row(page, 'd')).toHaveAttribute('data-state', 'left');
  await expect(entries(page).filter({ hasText: /d left: / })).toHaveCount(1);
  await expect(page.locator('#tally')).toContainText('1 left');
});

test('tags that are changed while one looks are shown, and filtered by', async ({ page, cluster }) => {
  await openPage(page, cluster, '#member=b');
  await page.getByRole('searchbox').fill('role=cache');
  await expect(page.locator('#members-nothing')).toBeVisible();
  await cluster.run('b', 'tags', '--set', 'role=cache', '--set', 'zone=eu-1');
  await expect(row(page, 'b').locator('.tag')).toHaveText(['role=cache', 'zone=eu-1']);
  await expect(page.locator('#detail .facts')).toContainText('role=cache zone=eu-1');
  await expect(entries(page).filter({ hasText: /b updated: / })).toHaveCount(1);
  await cluster.run('b', 'tags', '--set', 'role=web', '--delete', 'zone');
  await expect(page.locator('#members-nothing')).toBeVisible();
  await expect(page.locator('#detail .facts')).toContainText('role=web');
  await expect(page.locator('#detail .facts')).not.toContainText('zone');
});

test('members are filtered and sorted, and a link shows the same', async ({ page, cluster }) => {
  await openPage(page, cluster);
  await page.getByRole('searchbox').fill('role=web');
  await expect(page.locator('#members-shown')).toHaveText('2 of 5 shown');
  expect(await names(page)).toEqual(['b', 'd']);
  await page.getByRole('button', { name: 'Name' }).click();
  await page.getByRole('button', { name: 'Name' }).click();
  await expect(page.getByRole('columnheader', { name: 'Name' })).toHaveAttribute('aria-sort', 'descending');
  expect(await names(page)).toEqual(['d', 'b']);
  await page.goto('about:blank');
  await page.goBack();
  await expect(page.locator('#members-body tr')).toHaveCount(2);
  expect(await names(page)).toEqual(['d', 'b']);

  await page.getByRole('searchbox').fill('');
  await page.locator('#state-toggles').getByRole('button', { name: /^dead/ }).click();
  await expect(page.locator('#members-nothing')).toHaveText('No member matches the filter.');
  await cluster.kill('b');
  await expect(row(page, 'b')).toBeVisible();
  await expect(page.locator('#members-body tr')).toHaveCount(1);
});

test('why a member failed is said in plain words, with the keyboard alone', async ({ page, cluster }) => {
  await openPage(page, cluster, '#sort=name');
  await cluster.kill('b');
  await expect(row(page, 'b')).toHaveAttribute('data-state', 'dead');
  await row(page, 'a').getByRole('button').focus();
  await page.keyboard.press('ArrowDown');
  await expect(row(page, 'b').getByRole('button')).toBeFocused();
  await page.keyboard.press('Enter');
  const detail = page.getByRole('region', { name: 'b', exact: true });
  await expect(detail).toBeFocused();
  await expect(detail.locator('.hints li')).not.toHaveCount(0);
  await expect(detail.locator('.evidence').first()).toContainText('cause');
  await expect(page).toHaveURL(/member=b/);
  await picture(page, 'why');

  await page.getByRole('button', { name: 'Only the selected' }).click();
  await expect(entries(page).filter({ hasNotText: /^.{8}b / })).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(detail).toBeHidden();
  await expect(row(page, 'b').getByRole('button')).toBeFocused();
  await expect(entries(page).filter({ hasText: 'd joined' })).toHaveCount(1);
});

test('the map is used with the keyboard', async ({ page, cluster }) => {
  await openPage(page, cluster);
  await page.getByRole('listbox').focus();
  await expect(page.locator('.tip')).toContainText('alive');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await expect(page.locator('#detail')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('listbox')).toBeFocused();
});

test.describe('when the agent goes', () => {
  test.use({ losesAgent: true });

  test('that cannot be overlooked, and a new one is shown afresh', async ({ page, cluster }) => {
    await openPage(page, cluster);
    const { http, gossip } = cluster.first;
    const other = cluster.agents.get('b').gossip;
    await cluster.kill('a');
    await expect(page.getByRole('alert')).toContainText('The agent does not answer since');
    await expect(page.locator('body')).toHaveClass(/stale/);
    await expect(row(page, 'b')).toBeVisible();
    await picture(page, 'lost');

    // Whoever this page has not heard failing is only known from the new one.
    await cluster.kill('e');
    const again = await cluster.start('a', { http, more: ['--join', other] });
    expect(again.gossip).not.toBe(gossip);
    await expect(page.getByRole('alert')).toContainText('The agent is back.');
    await expect(row(page, 'a')).toContainText(again.gossip);
    await expect(row(page, 'e')).not.toHaveAttribute('data-state', 'alive');
    await expect(entries(page).filter({ hasText: 'hears the agent again' })).toHaveCount(1);
    await expect(entries(page).filter({ hasText: 'found the agent started anew' })).toHaveCount(1);
    await expect(page.locator('body')).not.toHaveClass(/stale/);
  });

  test('an orderly end is told as such', async ({ page, cluster }) => {
    await openPage(page, cluster);
    await cluster.leave('a');
    await expect(page.getByRole('alert')).toContainText('The agent has ended, as it said itself');
  });
});

test.describe('a member with a hostile name', () => {
  const name = '<img src=x onerror=alert(1)>';
  test.use({ lastName: name });

  test('is shown as text and is never markup', async ({ page, cluster }) => {
    await openPage(page, cluster);
    await expect(row(page, name)).toHaveAttribute('data-state', 'alive');
    await row(page, name).click();
    await expect(page.locator('#detail-title')).toHaveText(name);
    await expect(page.locator('#detail .decisions li')).not.toHaveCount(0);
    await expect(entries(page).filter({ hasText: `${name} joined` })).toHaveCount(1);
    await expect(page.locator('img')).toHaveCount(0);
    await picture(page, 'hostile');
  });
});

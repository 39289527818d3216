// What the page makes of a stream that is cut, silent, or has gaps.

import { entries, expect, openPage, picture, row, test } from './fixtures.js';

test.describe('between the page and the agent', () => {
  test.use({ losesAgent: true });

  test('a line that was cut costs nothing: the page goes on where it was', async ({ page, cluster, lineTo }) => {
    const line = await lineTo('a');
    await openPage(page, line);
    await expect(entries(page)).toHaveCount((await decided(cluster)).length);
    // A clock that stands still has no patience to lose, however long the browser takes.
    await page.clock.setFixedTime(new Date());
    line.cut();
    await expect(page.getByRole('alert')).toContainText('The agent does not answer since');
    await changeTwo(cluster);
    line.mend();

    await expect(page.getByRole('alert')).toContainText('The agent is back.');
    await expect(row(page, 'a')).toContainText('role=cache');
    await expect(row(page, 'c')).toHaveAttribute('data-state', 'left');
    await expectWholeTimeline(page, cluster);
    expect(line.watches).toEqual([null, expect.stringMatching(/^[0-9a-f]+-\d+$/)]);
    // It was told what it had missed, and did not need everything anew.
    expect(line.asked).toBe(1);
    await expect(entries(page).filter({ hasText: 'started anew' })).toHaveCount(0);
  });

  test('a line that is silent is given up, and everything is asked for anew', async ({ page, cluster, lineTo }) => {
    const line = await lineTo('a');
    await openPage(page, line);
    line.hush();
    await expect(page.getByRole('alert')).toContainText('The agent does not answer since');
    await changeTwo(cluster);
    line.mend();
    await expect(page.getByRole('alert')).toContainText('The agent is back.');
    await expect(row(page, 'a')).toContainText('role=cache');
    await expect(row(page, 'c')).toHaveAttribute('data-state', 'left');
    await expectWholeTimeline(page, cluster);
    expect(line.watches.length).toBeGreaterThan(1);
    expect(line.watches.every((last) => last === null)).toBe(true);
  });
});

test.describe('from an agent that told too much', () => {
  test.use({ isAlone: true });

  test('a gap is said where it is, and everything after it is right', async ({ page, invent }) => {
    const invented = await invent(20);
    await page.goto(invented.page);
    await expect(page.locator('#members-shown')).toHaveText('20 shown');
    invented.tell(1, 'suspect');
    await expect(entries(page).filter({ hasText: 'node-1 suspected' })).toHaveCount(1);
    for (const [place, state] of [[1, 'dead'], [2, 'left']]) invented.lose(place, state);
    invented.tellGap(2);
    await expect(row(page, 'node-1')).toHaveAttribute('data-state', 'dead');
    await expect(row(page, 'node-2')).toHaveAttribute('data-state', 'left');
    await expect(page.locator('#tally')).toContainText('1 dead');
    invented.tell(3, 'suspect');
    await expect(row(page, 'node-3')).toHaveAttribute('data-state', 'suspect');
    await expect(entries(page)).toHaveText([/node-3 suspected: /, /this page missed 2 events/, /node-1 suspected: /]);
    await expect(page.locator('#banner')).toBeHidden();
    await picture(page, 'gap');
  });

  test('a change that is missing without a word is noticed', async ({ page, invent }) => {
    const invented = await invent(20);
    await page.goto(invented.page);
    await expect(page.locator('#members-shown')).toHaveText('20 shown');
    invented.lose(1, 'dead');
    invented.tell(2, 'suspect');
    await expect(row(page, 'node-1')).toHaveAttribute('data-state', 'dead');
    await expect(row(page, 'node-2')).toHaveAttribute('data-state', 'suspect');
    expect(invented.watchers).toBe(1);
  });
});

/** Two things that a page should know of: other tags of a, and that c left. Done when a knows. */
async function changeTwo(cluster) {
  await cluster.run('a', 'tags', '--set', 'role=cache');
  await cluster.leave('c');
  await expect.poll(async () => (await cluster.ask('a', '/v1/members/c')).state).toBe('left');
}

/** The page comes to have each decision of the agent, once. */
async function expectWholeTimeline(page, cluster) {
  const told = entries(page).filter({ hasNot: page.locator('.self', { hasText: 'this page' }) });
  await expect(async () => {
    const texts = await told.locator('p').allTextContents();
    expect(texts.sort()).toEqual((await decided(cluster)).sort());
  }).toPass();
}

/** What the page should say of each decision. */
async function decided(cluster) {
  const { decisions } = await cluster.ask('a', '/v1/recorder');
  return decisions.map(({ member, text, times }) => `${member?.name ?? 'this agent'} ${text}${times > 1 ? ` ×${times}` : ''}`);
}

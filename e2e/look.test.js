// How the page looks: themes, and the screens that it fits.

import { expect, openPage, picture, test } from './fixtures.js';

const SCREENS = {
  desk: { width: 1440, height: 900 },
  tablet: { width: 820, height: 1180 },
  phone: { width: 390, height: 844 },
  'small-phone': { width: 320, height: 568 },
  'lying-phone': { width: 844, height: 390 },
};
const VIEWS = ['members', 'timeline', 'map', 'vitals'];

test.describe('with a name as long as names may be', () => {
  test.use({ lastName: `${'long-'.repeat(20)}name` });

  test('it fits every screen', async ({ page, cluster }) => {
    for (const [screen, viewport] of Object.entries(SCREENS)) {
      await test.step(screen, () => expectToFitScreen(page, cluster, screen, viewport));
    }
  });
});

test('light and dark are as the system has it, or as the reader chooses', async ({ page, cluster }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await openPage(page, cluster);
  const button = page.getByRole('button', { name: /^Theme/ });
  await expect(button).toHaveText('Theme: auto');
  expect(await isDark(page)).toBe(true);
  await page.emulateMedia({ colorScheme: 'light' });
  expect(await isDark(page)).toBe(false);
  await button.click();
  await button.click();
  await expect(button).toHaveText('Theme: dark');
  expect(await isDark(page)).toBe(true);
  await page.reload();
  await expect(button).toHaveText('Theme: dark');
  expect(await isDark(page)).toBe(true);
  await page.emulateMedia({ colorScheme: 'dark' });
  await button.click();
  await button.click();
  await expect(button).toHaveText('Theme: light');
  expect(await isDark(page)).toBe(false);
});

async function expectToFitScreen(page, cluster, screen, viewport) {
  await page.setViewportSize(viewport);
  await page.goto('about:blank');
  await openPage(page, cluster, '#member=b');
  await expect(page.locator('#detail .decisions li')).not.toHaveCount(0);
  await expectToFit(page, `${screen}-why`);
  await page.keyboard.press('Escape');
  const isSmall = screen !== 'desk';
  for (const view of isSmall ? VIEWS : ['members']) {
    if (isSmall) await page.locator('#views').getByRole('button', { name: view }).click();
    await expectToFit(page, `${screen}-${view}`);
  }
}

/** Nothing is wider than the screen, in either theme. */
async function expectToFit(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    expect(await page.evaluate(tooWide), name).toEqual([]);
    await picture(page, `${name}-${colorScheme}`);
  }
}

/** In the page: what reaches over the edge, and does so outside of anything that scrolls or is cut off by itself. */
function tooWide() {
  if (document.documentElement.scrollWidth > innerWidth) return [`the page is ${document.documentElement.scrollWidth} wide`];
  const isCut = (node) => node !== null && (getComputedStyle(node).overflowX !== 'visible' || isCut(node.parentElement));
  const parts = [...document.querySelectorAll('body *:not(.skip)')];
  const over = parts.filter((node) => node.getBoundingClientRect().right > innerWidth + 1 && !isCut(node.parentElement));
  return over.map((node) => node.outerHTML.slice(0, 120));
}

/** Whether the paper is darker than what is written on it. */
async function isDark(page) {
  const [paper, ink] = await page.evaluate(() => {
    const { backgroundColor, color } = getComputedStyle(document.body);
    return [backgroundColor, color].map((spelled) => spelled.match(/\d+/g).slice(0, 3).map(Number).reduce((sum, part) => sum + part));
  });
  return paper < ink;
}

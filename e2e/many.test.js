// Many members, and many changes: the page draws what can be seen, and shows all in the end. How smoothly is
// printed, and judged by people: machines are shared.

import { expect, picture, test } from './fixtures.js';

const LOADS = [
  { size: 500, perSecond: 200 },
  { size: 5000, perSecond: 200 },
];

test.use({ isAlone: true });

for (const { size, perSecond } of LOADS) {
  test(`${size} members with ${perSecond} changes a second`, async ({ page, invent }) => {
    const invented = await invent(size);
    await page.goto(invented.page);
    await expect(page.locator('#members-shown')).toHaveText(`${size} shown`);
    await expect(page.locator('.map [role="option"]')).toHaveCount(size);
    expect(await page.locator('#members-body tr').count()).toBeLessThan(80);
    await page.evaluate(recordFrames);
    await invented.change(perSecond, 5);
    const frames = await page.evaluate(() => globalThis.endFrames());
    await picture(page, `many-${size}`);
    const [p50, p99, max] = [0.5, 0.99, 1].map((share) => percentile(frames, share));
    console.log(`${size} members, ${perSecond} changes/s: ${frames.length} frames, p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`);

    await page.locator('#members-scroller').evaluate((scroller) => scroller.scrollTo(0, scroller.scrollHeight));
    await expect(page.locator(`#members-body tr[aria-rowindex="${size + 1}"]`)).toBeVisible();
    await page.getByRole('searchbox').fill('node-4');
    await expect(page.locator('#members-shown')).toHaveText(new RegExp(`^\\d+ of ${size} shown$`));
  });
}

/** In the page: takes the time between frames until `endFrames` is called. */
function recordFrames() {
  const frames = [];
  let isRecording = true;
  let before = performance.now();
  const record = (now) => {
    frames.push(now - before);
    before = now;
    if (isRecording) requestAnimationFrame(record);
  };
  requestAnimationFrame((now) => {
    before = now;
    requestAnimationFrame(record);
  });
  globalThis.endFrames = () => {
    isRecording = false;
    return frames;
  };
}

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(1));
}

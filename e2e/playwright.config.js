import { defineConfig } from '@playwright/test';

const isRoot = process.getuid?.() === 0;

export default defineConfig({
  testDir: '.',
  testMatch: '*.test.js',
  // Each test has a cluster of its own; one after another, so that none makes another one late.
  workers: 1,
  // How long a failure takes. A suspicion that nobody confirms runs for 18 s with `--profile local`, and a busy agent doubts itself first.
  timeout: 120_000,
  expect: { timeout: 45_000 },
  reporter: [['list']],
  outputDir: 'test-results',
  use: {
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: isRoot ? ['--no-sandbox'] : [],
    },
  },
});

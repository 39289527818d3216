// Pages of other sites, open in a browser that reaches the agent.

import http from 'node:http';
import { once } from 'node:events';
import { chromium } from '@playwright/test';
import { expect, test } from './fixtures.js';

test.use({ isAlone: true });

/** What a page of its own tries, and what it learns from that. */
async function tryAll({ agent, other }) {
  const learnt = {};
  const attempt = async (name, path, init) => {
    try {
      const response = await fetch(agent + path, init);
      learnt[name] = response.type === 'opaque' ? 'nothing' : `${response.status}: ${await response.text()}`;
    } catch {
      learnt[name] = 'nothing';
    }
  };
  const json = { 'Content-Type': 'application/json' };
  const join = JSON.stringify({ addresses: [other] });
  for (const mode of ['cors', 'no-cors']) {
    await attempt(`members, ${mode}`, '/v1/members', { mode });
    await attempt(`metrics, ${mode}`, '/metrics', { mode });
    await attempt(`join, ${mode}`, '/v1/join', { mode, method: 'POST', headers: json, body: join });
    await attempt(`join as text, ${mode}`, '/v1/join', { mode, method: 'POST', body: join });
    await attempt(`leave, ${mode}`, '/v1/leave', { mode, method: 'POST', headers: json, body: '{}' });
    await attempt(`leave as text, ${mode}`, '/v1/leave', { mode, method: 'POST', body: '{}' });
  }
  learnt.watch = await new Promise((resolve) => {
    const source = new EventSource(`${agent}/v1/watch`);
    source.addEventListener('snapshot', ({ data }) => resolve(data));
    source.onerror = () => source.close() ?? resolve('nothing');
  });
  // A form needs nobody's leave to be sent, and its only field can spell JSON.
  const frame = Object.assign(document.createElement('iframe'), { name: 'sink' });
  const form = Object.assign(document.createElement('form'), {
    method: 'POST',
    action: `${agent}/v1/leave`,
    enctype: 'text/plain',
    target: 'sink',
  });
  form.append(Object.assign(document.createElement('input'), { name: '{"a":"', value: '"}' }));
  document.body.append(frame, form);
  const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
  form.submit();
  await loaded;
  try {
    learnt.form = frame.contentDocument?.body?.textContent || 'nothing';
  } catch {
    learnt.form = 'nothing';
  }
  return learnt;
}

for (const host of ['127.0.0.1', 'localhost']) {
  test(`a page of another origin at ${host} can neither join, leave nor read`, async ({ cluster, browser }) => {
    const other = await cluster.start('x');
    const site = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><p>a stranger'));
    await once(site.listen(0, host), 'listening');
    const page = await browser.newPage();
    await page.goto(`http://${host}:${site.address().port}/`);

    const learnt = await page.evaluate(tryAll, { agent: cluster.page, other: other.gossip });
    expect(Object.keys(learnt)).toHaveLength(14);
    expect(new Set(Object.values(learnt))).toEqual(new Set(['nothing']));
    const members = await cluster.ask('a', '/v1/members');
    expect(members.map(({ name, state }) => `${name} ${state}`)).toEqual(['a alive']);

    await page.close();
    site.close();
  });
}

test('a name that somebody points at the agent is not served', async ({ cluster }) => {
  const root = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...root, '--host-resolver-rules=MAP rebound.example 127.0.0.1'],
  });
  const page = await browser.newPage();
  const [, port] = cluster.first.http.split(':');
  for (const path of ['/', '/v1/members', '/metrics']) {
    const response = await page.goto(`http://rebound.example:${port}${path}`);
    expect(response.status(), path).toBe(403);
  }
  await browser.close();
});

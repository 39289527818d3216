// The server that invents members, without a browser.

import http from 'node:http';
import { once } from 'node:events';
import { expect, test } from '@playwright/test';
import { InventedCluster } from './invented.js';

test('an invented cluster closes after its agent answered what it was asked', async () => {
  const happened = [];
  const agent = http.createServer();
  await once(agent.listen(0, '127.0.0.1'), 'listening');
  const invented = new InventedCluster(`http://127.0.0.1:${agent.address().port}`, 1);
  await invented.listen();

  const asked = once(agent, 'request');
  const browser = http.get(`${invented.page}/page/icon.svg`).on('error', () => happened.push('cut'));
  const [, response] = await asked;
  const closed = invented.close().then(() => happened.push('closed'));
  await new Promise((resolve) => browser.once('close', resolve));
  happened.push('answered');
  response.end('an icon');
  await closed;
  agent.close();
  expect(happened).toEqual(['cut', 'answered', 'closed']);
});

// Small charts of the last five minutes.

import { byId, drawing, element, setAttribute, setText } from './dom.js';
import { BREAK_MS } from './samples.js';
import { HISTORY_MS } from './store.js';
import { milliseconds, scaled } from './text.js';

const [WIDTH, HEIGHT, MARGIN] = [200, 30, 2];
const whole = (value) => String(Math.round(value));
const perSecond = (value) => scaled(value, '');
const bytes = (value) => scaled(value, 'B');
const percent = (value) => `${Math.round(value * 100)} %`;

/** Each with its lines; `least` is the smallest top of its scale, so that noise stays small. */
const CHARTS = [
  { label: 'Alive', lines: [{ of: 'alive' }], spell: whole, least: 1 },
  { label: 'Agreement', lines: [{ of: 'agreed' }], spell: percent, least: 1 },
  { label: 'Health score', lines: [{ of: 'health' }], spell: whole, least: 4 },
  { label: 'Degraded links', lines: [{ of: 'degraded' }], spell: whole, least: 4 },
  { label: 'Packets/s', lines: [{ of: 'packetsIn', name: 'in' }, { of: 'packetsOut', name: 'out' }], spell: perSecond, least: 10 },
  { label: 'Bytes/s', lines: [{ of: 'bytesIn', name: 'in' }, { of: 'bytesOut', name: 'out' }], spell: bytes, least: 1000 },
  { label: 'Loop lag', lines: [{ of: 'lag' }], spell: milliseconds, least: 10 },
];

export class Charts {
  #charts = CHARTS.map(createChart);

  constructor() {
    byId('vitals').append(...this.#charts.map(({ node }) => node));
  }

  render(samples) {
    for (const chart of this.#charts) renderChart(chart, samples);
  }
}

function createChart(chart) {
  const paths = chart.lines.map(({ name }) => drawing('path', { class: `line ${name ?? 'only'}` }));
  const graph = drawing('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' },
    drawing('path', { class: 'floor', d: `M0 ${HEIGHT - 0.5}H${WIDTH}` }), ...paths);
  const values = chart.lines.map(({ name }) => element('span', { class: `value ${name ?? 'only'}` }));
  const most = element('span', { class: 'most' });
  const node = element('figure', {},
    element('figcaption', {}, chart.label, most),
    element('p', { class: 'values', 'aria-hidden': 'true' }, ...values), graph);
  return { ...chart, node, graph, paths, values, most };
}

function renderChart(chart, samples) {
  const last = samples.at(-1);
  if (!last) return;
  const all = chart.lines.flatMap(({ of }) => samples.map((point) => point[of])).filter((value) => value !== null);
  const most = all.length > 0 ? Math.max(...all) : null;
  const top = Math.max(most ?? 0, chart.least);
  const now = chart.lines.map(({ of, name }) => `${last[of] === null ? '–' : chart.spell(last[of])}${name ? ` ${name}` : ''}`);
  chart.lines.forEach(({ of }, index) => {
    setAttribute(chart.paths[index], 'd', line(samples, of, top, last.at));
    setText(chart.values[index], now[index]);
  });
  const mostText = most === null ? '' : `max ${chart.spell(most)}`;
  setText(chart.most, mostText);
  setAttribute(chart.graph, 'aria-label', `${chart.label}: now ${now.join(', ')}; ${mostText} in the last five minutes`);
}

/** A line through the samples, broken where something is unknown. */
function line(samples, of, top, now) {
  let [path, isDrawn, before] = ['', false, 0];
  for (const point of samples) {
    const value = point[of];
    if (value === null || point.at - before > BREAK_MS) isDrawn = false;
    before = point.at;
    if (value === null) continue;
    const x = WIDTH * (1 - (now - point.at) / HISTORY_MS);
    const y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value / top);
    path += `${isDrawn ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    isDrawn = true;
  }
  return path;
}

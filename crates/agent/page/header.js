// Which agent this is, how the cluster is, and whether the agent is there at all.

import { byId, element, mark, setAttribute, setText } from './dom.js';
import { STATES } from './store.js';
import { clock, duration, legible, spell } from './text.js';

/** For how long the page says that the agent is back. */
const BACK_MS = 15_000;

export class Header {
  #tallies = STATES.map(createTally);
  #startedAt = null;
  #lostAt = null;
  #phase = 'connecting';
  #hide = null;
  #onRetry;

  constructor({ onRetry }) {
    this.#onRetry = onRetry;
    byId('tally').append(...this.#tallies.map(({ node }) => node));
    byId('banner-button').addEventListener('click', () => (this.#phase === 'live' ? this.#dismiss() : this.#onRetry()));
  }

  showCounts(counts) {
    for (const { node, number, state } of this.#tallies) {
      setText(number, String(counts[state]));
      node.classList.toggle('zero', counts[state] === 0);
    }
  }

  showSelf(self) {
    this.#startedAt = Date.now() - self.uptime_seconds * 1000;
    const name = spell(self.name);
    setText(byId('agent-name'), name);
    byId('agent-name').title = name;
    document.title = `${name} – mingle`;
    const label = self.label === null ? null : `label ${spell(self.label)}`;
    const facts = [self.address, `profile ${self.profile}`, label, self.encrypted ? 'encrypted' : 'not encrypted', `mingle ${self.version}`];
    this.facts = facts.filter((fact) => fact !== null);
    this.tick();
  }

  showStatus({ view, health, missing, warnings }) {
    const agreed = view.told === 0 ? 'nobody else tells yet' : `agreed by ${view.agreeing} of ${view.told}`;
    judge(byId('agreement'), agreed, view.told === 0 ? null : view.agreeing === view.told);
    judge(byId('health'), health === 0 ? 'healthy' : `score ${health}, 0 is healthy`, health === 0);
    const absent = [[missing.failed, 'failed'], [missing.seeds, 'of the seeds'], [missing.remembered, 'remembered']].filter(([number]) => number > 0);
    judge(byId('missing'), absent.map(([number, what]) => `${number} ${what}`).join(', ') || 'nobody', absent.length === 0);
    this.#showWarnings(warnings);
  }

  /** Time went by. */
  tick() {
    // A number stays on the line of its unit.
    const uptime = `up ${duration((Date.now() - this.#startedAt) / 1000)}`.replaceAll(' ', '\u00a0');
    if (this.facts) setText(byId('agent-facts'), [...this.facts, uptime].join(' · '));
    if (this.#lostAt !== null) this.#showLost();
  }

  /** The agent went, or came. */
  enter(phase) {
    this.#phase = phase;
    setAttribute(byId('pulse'), 'data-phase', phase);
    setText(byId('pulse'), phase);
    document.body.classList.toggle('stale', phase === 'lost' || phase === 'ended');
    if (phase === 'live') this.#showBack();
    else this.#lose();
  }

  #lose() {
    this.#lostAt ??= Date.now();
    clearTimeout(this.#hide);
    setText(byId('banner-button'), 'Try now');
    this.#showLost();
  }

  #showLost() {
    const title = this.#phase === 'ended' ? 'The agent has ended, as it said itself,' : 'The agent does not answer';
    const detail = 'Everything below is as it was then. Trying again every few seconds.';
    this.#banner(this.#phase, `${title} since ${clock(this.#lostAt, Date.now())} UTC.`, detail);
    // The clock is not for those who would hear it each second.
    setText(byId('banner-ago'), `That is ${duration((Date.now() - this.#lostAt) / 1000)} ago.`);
  }

  #showBack() {
    if (this.#lostAt === null) return;
    const away = duration((Date.now() - this.#lostAt) / 1000);
    this.#lostAt = null;
    setText(byId('banner-button'), 'Dismiss');
    setText(byId('banner-ago'), '');
    this.#banner('back', 'The agent is back.', `It was away for ${away}. What is below is current again.`);
    this.#hide = setTimeout(() => this.#dismiss(), BACK_MS);
  }

  #dismiss() {
    clearTimeout(this.#hide);
    byId('banner').hidden = true;
  }

  #banner(phase, title, detail) {
    setAttribute(byId('banner'), 'data-phase', phase);
    setText(byId('banner-title'), title);
    setText(byId('banner-detail'), detail);
    byId('banner').hidden = false;
  }

  #showWarnings(warnings) {
    const shown = byId('warnings');
    shown.hidden = warnings.length === 0;
    const spelled = warnings.map(legible);
    const isSame = spelled.length === shown.children.length && spelled.every((text, index) => shown.children[index].textContent === text);
    if (!isSame) shown.replaceChildren(...spelled.map((text) => element('li', {}, text)));
  }
}

function createTally(state) {
  const number = element('span', { class: 'number' }, '0');
  const node = element('li', { 'data-state': state }, mark(state), number, ` ${state}`);
  return { node, number, state };
}

/** A fact with a mark that says whether it is good; `null` when that is not known. */
function judge(node, text, isGood) {
  if (node.textContent === text && node.dataset.good === String(isGood)) return;
  node.dataset.good = String(isGood);
  node.replaceChildren(mark(isGood === null ? 'left' : isGood ? 'alive' : 'suspect'), text);
}

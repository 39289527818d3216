// Why a member is in its state: the hints in plain words, and what the agent decided, with the evidence.

import { byId, element, mark, setText } from './dom.js';
import { evidencePairs, stateOf } from './decisions.js';
import { counted, duration, fullTime, legible, linkWords, milliseconds, spell, tagList } from './text.js';
import { repeated, timeOf } from './timeline.js';

/** Changes that come together are asked for together. */
const SETTLE_MS = 250;

export class Detail {
  #panel = byId('detail');
  #name = null;
  #member = undefined;
  #asked = 0;
  #timer = null;
  #facts = element('dl', { class: 'facts' });
  #title = element('h2', { id: 'detail-title' });
  #state = element('span', { class: 'state' });
  #answer = element('div', { class: 'answer' });
  #close = element('button', { type: 'button', class: 'quiet close' }, 'Close');
  #now;

  constructor({ onClose, now }) {
    this.#now = now;
    this.#close.addEventListener('click', onClose);
    this.#panel.append(
      element('div', { class: 'panel-head' }, this.#title, this.#state, this.#close),
      element('div', { class: 'detail-body', tabindex: 0, role: 'region', 'aria-label': 'Why it is in its state' }, this.#facts, this.#answer));
  }

  get name() {
    return this.#name;
  }

  /** Shows a member, or nothing. */
  show(name, member) {
    if (name !== this.#name) this.#answer.replaceChildren();
    this.#name = name;
    this.#panel.hidden = name === null;
    if (name === null) return;
    this.showMember(member);
    this.#ask();
  }

  /** What the table has of it too; it changes without asking. */
  showMember(member) {
    if (this.#name === null) return;
    setText(this.#title, spell(this.#name));
    this.#title.title = spell(this.#name);
    this.#member = member;
    this.tick();
    this.#facts.replaceChildren(...(member ? facts(member) : []));
  }

  /** Time went by. */
  tick() {
    if (this.#name === null) return;
    const member = this.#member;
    const words = member ? `${member.state} for ${duration((this.#now() - Date.parse(member.since)) / 1000)}` : 'forgotten';
    this.#state.replaceChildren(mark(member?.state ?? 'left'), words);
  }

  /** Something happened to the member. */
  refresh() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), SETTLE_MS);
  }

  focus() {
    this.#panel.focus({ preventScroll: true });
  }

  async #ask() {
    clearTimeout(this.#timer);
    if (this.#name === null) return;
    this.#asked += 1;
    const asked = this.#asked;
    const answer = await why(this.#name);
    if (asked !== this.#asked || this.#name === null) return;
    this.#answer.replaceChildren(...(answer.error ? [element('p', { class: 'nothing' }, answer.error)] : this.#parts(answer)));
  }

  #parts({ hints, timeline, ourselves, dropped }) {
    const parts = [];
    if (hints.length > 0) parts.push(element('section', { class: 'hints' }, element('h3', {}, 'What this suggests'), list(hints)));
    parts.push(this.#decisions('What this agent decided, and why', timeline));
    if (ourselves.length > 0) parts.push(this.#decisions('This agent itself at that time', ourselves));
    if (dropped) parts.push(element('p', { class: 'nothing' }, `${counted(dropped.count, 'older decision')}, until ${dropped.until}, are not recorded any more.`));
    return parts;
  }

  #decisions(title, decisions) {
    const items = decisions.toReversed().map((decision) => this.#decision(decision));
    const body = items.length > 0 ? element('ol', {}, ...items) : element('p', { class: 'nothing' }, 'Nothing is recorded.');
    return element('section', { class: 'decisions' }, element('h3', {}, title), body);
  }

  #decision(decision) {
    const pairs = evidencePairs(decision).map(([label, value]) => element('div', {}, element('dt', {}, label), element('dd', {}, value)));
    return element('li', {},
      timeOf(decision, this.#now()), mark(stateOf(decision)),
      element('div', {}, element('p', {}, legible(decision.text), repeated(decision)), pairs.length > 0 ? element('dl', { class: 'evidence' }, ...pairs) : null));
  }
}

/** Asks the agent; says in words why there is no answer. */
async function why(name) {
  try {
    const response = await fetch(`/v1/members/${encodeURIComponent(name)}/why`);
    const answer = await response.json();
    return response.ok ? answer : { error: `The agent has no answer: ${answer.detail ?? answer.title}` };
  } catch {
    return { error: 'The agent does not answer. What is above is what was known last.' };
  }
}

function facts(member) {
  const tags = tagList(member.tags);
  const pairs = [
    ['Address', [member.address]],
    ['Round trip', [member.rtt_ms === null ? 'not measured' : milliseconds(member.rtt_ms)]],
    ['Since', [dated(member.since)]],
    ['Incarnation', [String(member.incarnation)]],
    ['Tags', [tags.length > 0 ? tags.join('  ') : 'none']],
    ['Link', member.degraded ? [`${linkWords(member.degraded)} since `, dated(member.degraded.since)] : ['no loss noticed']],
  ];
  return pairs.map(([label, value]) => element('div', {}, element('dt', {}, label), element('dd', {}, ...value)));
}

/** A time with its date, to the second. */
function dated(time) {
  return element('time', { datetime: time, title: fullTime(time) }, time.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC'));
}

function list(sentences) {
  return element('ul', {}, ...sentences.map((sentence) => element('li', {}, legible(sentence))));
}

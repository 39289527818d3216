// The timeline: each decision with its reason, the newest first.

import { arrange, byId, element, mark } from './dom.js';
import { stateOf } from './decisions.js';
import { clock, fullTime, legible, spell } from './text.js';

/** Entries in the document at first; more come when the reader scrolls to the last one. */
const CHUNK = 50;

export class Timeline {
  #list = byId('timeline-list');
  #scroller = byId('timeline-scroller');
  #only = byId('timeline-only');
  #items = new WeakMap();
  #entries = [];
  #shown = CHUNK;
  #selected = null;
  #isOnly = false;
  #now;
  #onSelect;

  constructor({ onSelect, onOnly, now }) {
    this.#onSelect = onSelect;
    this.#now = now;
    this.#only.addEventListener('click', () => onOnly(!this.#isOnly));
    const more = () => this.#showMore();
    this.#scroller.addEventListener('scroll', more, { passive: true });
    document.addEventListener('scroll', more, { passive: true });
  }

  /** These entries, the oldest first. */
  render(entries) {
    this.#entries = entries;
    const nodes = [];
    for (let place = entries.length - 1; place >= 0 && nodes.length < this.#shown; place -= 1) {
      if (this.#isWanted(entries[place])) nodes.push(this.#item(entries[place]));
    }
    arrange(this.#list, nodes);
    byId('timeline-nothing').hidden = nodes.length > 0;
  }

  select(name, isOnly) {
    const wasFiltered = this.#isFiltered();
    this.#selected = name;
    this.#isOnly = isOnly;
    this.#only.disabled = name === null;
    this.#only.setAttribute('aria-pressed', String(isOnly && name !== null));
    if (wasFiltered || this.#isFiltered()) this.#shown = CHUNK;
    this.render(this.#entries);
  }

  #isFiltered() {
    return this.#isOnly && this.#selected !== null;
  }

  /** What happened to the page itself is always shown. */
  #isWanted(entry) {
    return !this.#isFiltered() || entry.name === this.#selected || entry.key.startsWith('mark ');
  }

  #item(entry) {
    const made = this.#items.get(entry) ?? this.#make(entry);
    this.#items.set(entry, made);
    return made;
  }

  #make({ decision, name, kind }) {
    return element('li', { 'data-kind': kind },
      timeOf(decision, this.#now()),
      mark(stateOf(decision)),
      element('p', {}, this.#subject(name, kind), ' ', legible(decision.text), repeated(decision)));
  }

  #subject(name, kind) {
    if (name === null) return element('span', { class: 'self' }, titleOf(kind));
    const button = element('button', { type: 'button', class: 'link', title: spell(name) }, element('bdi', {}, spell(name)));
    button.addEventListener('click', () => this.#onSelect(name));
    return button;
  }

  #showMore() {
    const end = Math.min(this.#scroller.getBoundingClientRect().bottom, innerHeight);
    const isNear = this.#list.getBoundingClientRect().bottom < end + 400;
    if (!isNear || this.#list.childElementCount < this.#shown) return;
    this.#shown += CHUNK;
    this.render(this.#entries);
  }
}

function titleOf(kind) {
  return ['gap', 'lost', 'back', 'restarted'].includes(kind) ? 'this page' : 'this agent';
}

/** The time of a decision; in full for those who point at it. */
export function timeOf(decision, now) {
  return element('time', { datetime: decision.at, title: fullTime(decision.at) }, clock(decision.at, now));
}

/** How often it was made, if more than once. */
export function repeated({ times, first }) {
  return times > 1 ? element('span', { class: 'times', title: `first at ${first}` }, ` ×${times}`) : null;
}

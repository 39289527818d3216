// The table of members. Only the rows that can be seen are in the document, however many members there are.

import { arrange, byId, element, mark, setAttribute, setText } from './dom.js';
import { Ordering } from './order.js';
import { duration, fullTime, linkWords, milliseconds, spell, tagList } from './text.js';

const HEADINGS = [
  ['name', 'Name'], ['state', 'State'], ['address', 'Address'], ['tags', 'Tags'],
  ['rtt', 'RTT'], ['since', 'Since'], ['incarnation', 'Incarnation'], ['link', 'Link'],
];
/** Rows above and below those that can be seen. */
const SPARE = 8;
/** Where more than these change at once, there is nothing to draw the eye to. */
const MAX_FLASHES = 6;
const FLASH = { duration: 1600, easing: 'ease-out' };
const calm = matchMedia('(prefers-reduced-motion: reduce)');

export class Table {
  #scroller = byId('members-scroller');
  #body = byId('members-body');
  #ordering = new Ordering();
  #rows = new Map();
  #members = new Map();
  #rowHeight = 34;
  #active = null;
  #selected = null;
  #flashes = false;
  #own = null;
  #now;
  #heads;
  #onSelect;
  /** Where the rows and what can be seen of them are. Asking for it is dear, so it is kept until it may be another. */
  #sight = { rows: 0, top: 0, bottom: 0 };

  /** `onSelect` takes a name, `onSort` a column; `now` is the agent's clock. */
  constructor({ onSelect, onSort, now }) {
    this.#onSelect = onSelect;
    this.#now = now;
    this.#heads = HEADINGS.map(([column, label]) => heading(column, label, onSort));
    byId('members-head').append(...this.#heads.map(({ cell }) => cell));
    this.#listen();
    this.measure();
  }

  /** Everything anew: other members, another sort or filter. */
  rebuild(members, sort, filter, total) {
    this.#members = members;
    this.#ordering.rebuild(members, sort, filter);
    for (const { cell, column } of this.#heads) {
      const direction = sort.descending ? 'descending' : 'ascending';
      setAttribute(cell, 'aria-sort', column === sort.column ? direction : null);
    }
    this.#count(total);
    this.render();
  }

  /** Some members changed. */
  update(changed, total) {
    this.#ordering.update(this.#members, changed);
    this.#count(total);
    this.#flashes = changed.size <= MAX_FLASHES;
    this.render();
    this.#flashes = false;
  }

  select(name) {
    this.#selected = name;
    if (name !== null) this.#active = name;
    this.render();
  }

  setOwn(name) {
    this.#own = name;
    for (const row of this.#rows.values()) row.member = null;
    this.render();
  }

  /** Time went by. */
  tick() {
    for (const row of this.#rows.values()) if (row.member) showSince(row, row.member, this.#now());
  }

  /** Gives the row of a member the focus; the table itself when it has none. */
  focus(name) {
    if (!this.#ordering.names.includes(name)) return this.#scroller.focus({ preventScroll: true });
    this.#active = name;
    this.render();
    const row = this.#rows.get(name);
    row.button.focus({ preventScroll: true });
    row.node.scrollIntoView({ block: 'nearest' });
  }

  /** The layout may have changed. */
  measure() {
    this.#rowHeight = parseFloat(getComputedStyle(this.#body).getPropertyValue('--row')) || this.#rowHeight;
    this.#look();
  }

  /** What can be seen may have changed. */
  #look() {
    const frame = this.#scroller.getBoundingClientRect();
    this.#sight = { rows: this.#body.getBoundingClientRect().top, top: Math.max(frame.top, 0), bottom: Math.min(frame.bottom, innerHeight) };
    this.render();
  }

  /** Puts the rows there that can be seen, and the one that has the focus. */
  render() {
    // A member may be gone before its row is.
    const names = this.#ordering.names.filter((name) => this.#members.has(name));
    const [first, last] = this.#range(names.length);
    const shown = names.slice(first, last);
    const places = new Map(shown.map((name, index) => [name, first + index]));
    this.#keepFocused(shown, places);
    const tabStop = names.includes(this.#active) ? this.#active : shown[0];
    for (const name of [...this.#rows.keys()]) if (!places.has(name)) this.#rows.delete(name);
    for (const name of shown) this.#show(name, places.get(name), name === tabStop);
    this.#body.style.height = `${names.length * this.#rowHeight}px`;
    if (arrange(this.#body, shown.map((name) => this.#rows.get(name).node))) this.#scroller.focus({ preventScroll: true });
  }

  #range(total) {
    const { rows, top, bottom } = this.#sight;
    const first = Math.floor((top - rows) / this.#rowHeight) - SPARE;
    const last = Math.ceil((bottom - rows) / this.#rowHeight) + SPARE;
    return [Math.min(Math.max(first, 0), Math.max(total - 1, 0)), Math.min(Math.max(last, 1), total)];
  }

  /** A row that has the focus stays, so that the focus is not lost by scrolling. */
  #keepFocused(shown, places) {
    if (this.#active === null || places.has(this.#active) || !this.#body.contains(document.activeElement)) return;
    const place = this.#ordering.names.indexOf(this.#active);
    if (place < 0) return;
    places.set(this.#active, place);
    if (place < places.get(shown[0])) shown.unshift(this.#active);
    else shown.push(this.#active);
  }

  #show(name, place, isTabStop) {
    const member = this.#members.get(name);
    const row = this.#rows.get(name) ?? createRow(name);
    this.#rows.set(name, row);
    if (row.place !== place) {
      row.place = place;
      row.node.style.top = `${place * this.#rowHeight}px`;
      setAttribute(row.node, 'aria-rowindex', place + 2);
      row.node.classList.toggle('odd', place % 2 === 1);
    }
    setAttribute(row.node, 'aria-current', name === this.#selected ? 'true' : null);
    setAttribute(row.button, 'tabindex', isTabStop ? 0 : -1);
    if (row.member === member) return;
    if (this.#flashes && row.member && row.member.state !== member.state) flash(row);
    fillRow(row, member, name === this.#own, this.#now());
  }

  #count(total) {
    const shown = this.#ordering.names.length;
    setText(byId('members-shown'), shown === total ? `${total} shown` : `${shown} of ${total} shown`);
    setAttribute(byId('members-table'), 'aria-rowcount', shown + 1);
    byId('members-nothing').hidden = shown > 0;
    setText(byId('members-nothing'), total === 0 ? 'No members yet.' : 'No member matches the filter.');
  }

  #listen() {
    const look = () => requestAnimationFrame(() => this.#look());
    this.#scroller.addEventListener('scroll', look, { passive: true });
    document.addEventListener('scroll', look, { passive: true });
    new ResizeObserver(() => this.measure()).observe(this.#scroller);
    this.#body.addEventListener('click', (event) => {
      const row = event.target.closest('tr');
      const found = [...this.#rows].find(([, { node }]) => node === row);
      if (found) this.#onSelect(found[0]);
    });
    this.#body.addEventListener('focusin', (event) => {
      const found = [...this.#rows].find(([, { button }]) => button === event.target);
      if (found) this.#active = found[0];
    });
    this.#scroller.addEventListener('keydown', (event) => this.#move(event));
  }

  #move(event) {
    if (event.target.closest('thead') || event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / this.#rowHeight) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    const { names } = this.#ordering;
    if (step === undefined || names.length === 0) return;
    event.preventDefault();
    const place = names.indexOf(this.#active) + step;
    this.focus(names[Math.min(Math.max(place, 0), names.length - 1)]);
  }
}

function heading(column, label, onSort) {
  const button = element('button', { type: 'button', class: 'sort' }, label);
  button.addEventListener('click', () => onSort(column));
  return { column, cell: element('th', { role: 'columnheader', scope: 'col', class: `c-${column}` }, button) };
}

function createRow(name) {
  const button = element('button', { type: 'button', class: 'name', title: spell(name), tabindex: -1 }, element('bdi', {}, spell(name)));
  const own = element('span', { class: 'own', hidden: true }, 'this agent');
  const stateMark = mark('alive');
  const word = element('span');
  const since = element('time');
  const cells = Object.fromEntries(['address', 'tags', 'rtt', 'incarnation', 'link'].map((column) => [column, cell(column)]));
  const node = element('tr', { role: 'row' },
    element('th', { role: 'rowheader', scope: 'row', class: 'c-name' }, button, own),
    cell('state', stateMark, word),
    cells.address, cells.tags, cells.rtt, cell('since', since), cells.incarnation, cells.link);
  return { node, button, own, stateMark, word, since, cells, member: null, place: null };
}

function cell(column, ...children) {
  return element('td', { role: 'cell', class: `c-${column}` }, ...children);
}

function fillRow(row, member, isOwn, now) {
  const tags = tagList(member.tags);
  const { cells } = row;
  setAttribute(row.node, 'data-state', member.state);
  setAttribute(row.stateMark, 'data-state', member.state);
  setText(row.word, member.state);
  row.own.hidden = !isOwn;
  setText(cells.address, member.address);
  setAttribute(cells.address, 'title', member.address);
  if (cells.tags.title !== tags.join('  ')) {
    cells.tags.replaceChildren(...tags.map((tag) => element('span', { class: 'tag' }, tag)));
    setAttribute(cells.tags, 'title', tags.join('  '));
  }
  setText(cells.rtt, milliseconds(member.rtt_ms));
  setText(cells.incarnation, String(member.incarnation));
  setText(cells.link, linkWords(member.degraded));
  setAttribute(cells.link, 'title', member.degraded ? `packets get lost since ${member.degraded.since}` : null);
  row.member = member;
  showSince(row, member, now);
}

function showSince(row, member, now) {
  setText(row.since, duration((now - Date.parse(member.since)) / 1000));
  if (row.since.dateTime === member.since) return;
  row.since.dateTime = member.since;
  setAttribute(row.since, 'title', fullTime(member.since));
}

/** Draws the eye to a change. */
function flash({ node }) {
  if (!calm.matches) node.animate([{ backgroundColor: 'var(--flash)' }, {}], FLASH);
}

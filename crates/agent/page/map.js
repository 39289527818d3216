// The map: this agent in the middle, the others around it by the logarithm of their round trip.

import { byId, drawing, element, mark, setAttribute, setText } from './dom.js';
import { fittingLabels, placeOf, Scale, UNKNOWN_RADIUS } from './places.js';
import { shapeOf, sizeFor } from './shapes.js';
import { STATES } from './store.js';
import { linkWords, milliseconds, spell } from './text.js';

/** More labels than these would only cover each other. */
const MAX_LABELS = 40;
const LABEL_LETTERS = 16;
/** How far from a member a pointer may be to mean it, in units of the drawing. */
const REACH = 14;

export class NetworkMap {
  #frame = byId('map-frame');
  #scale = new Scale();
  #nodes = new Map();
  #members = new Map();
  #made = 0;
  #size = 1;
  #own = null;
  #active = null;
  #selected = null;
  #rings = drawing('g', { class: 'rings', 'aria-hidden': 'true' });
  #ringNames = drawing('g', { class: 'ring-names', 'aria-hidden': 'true' });
  #links = drawing('g', { 'aria-hidden': 'true' });
  #marks = drawing('g', { role: 'presentation' });
  #labels = drawing('g', { class: 'labels', 'aria-hidden': 'true' });
  #halo = drawing('circle', { class: 'halo', r: 10, visibility: 'hidden' });
  #picked = drawing('circle', { class: 'picked', r: 10, visibility: 'hidden' });
  #tip = element('div', { class: 'tip', hidden: true, 'aria-hidden': 'true' });
  #svg;
  #onSelect;

  constructor({ onSelect }) {
    this.#onSelect = onSelect;
    const centre = drawing('path', { class: 'centre', d: 'M0-7L7 0L0 7L-7 0Z' });
    this.#svg = drawing('svg', {
      viewBox: '-240 -176 480 352', tabindex: 0, role: 'listbox',
      'aria-label': 'Members by round trip from this agent; arrow keys go from one to the next',
    }, this.#rings, this.#links, centre, this.#picked, this.#marks, this.#ringNames, this.#labels, this.#halo);
    this.#frame.prepend(this.#svg, this.#tip);
    byId('map-legend').append(...[...STATES, 'degraded'].map((state) => element('li', {}, mark(state), state)));
    this.#drawRings();
    this.#listen();
  }

  /** Everything anew. */
  rebuild(members, own) {
    this.#members = members;
    this.#own = own;
    this.#fit([...members.values()]);
    for (const name of this.#nodes.keys()) if (!this.#isShown(name)) this.#remove(name);
    for (const name of members.keys()) this.#draw(name);
    this.#settle();
  }

  /** Some members changed. */
  update(changed) {
    const present = [...changed].flatMap((name) => this.#members.get(name) ?? []);
    if (this.#fit(present)) return this.rebuild(this.#members, this.#own);
    for (const name of changed) {
      if (this.#isShown(name)) this.#draw(name);
      else this.#remove(name);
    }
    this.#settle();
  }

  select(name) {
    this.#selected = name;
    for (const [other, { node }] of this.#nodes) setAttribute(node, 'aria-selected', String(other === name));
    this.#settle();
  }

  /** Makes the rings and the symbols fit; says whether everything has to be drawn anew for that. */
  #fit(members) {
    const size = sizeFor(this.#members.size);
    const isSame = !this.#scale.widen(members.map((member) => member.rtt_ms)) && size === this.#size;
    this.#size = size;
    if (!isSame) this.#drawRings();
    return !isSame;
  }

  #isShown(name) {
    return this.#members.has(name) && name !== this.#own;
  }

  #draw(name) {
    if (!this.#isShown(name)) return;
    const member = this.#members.get(name);
    const node = this.#nodes.get(name) ?? this.#add(name);
    if (node.member === member) return;
    Object.assign(node, placeOf(this.#scale, member), { member });
    setAttribute(node.node, 'd', shapeOf(member.state, node.x, node.y, this.#size));
    setAttribute(node.node, 'class', member.state);
    setAttribute(node.node, 'aria-label', describe(member));
    this.#drawLink(node);
  }

  /** A link on which packets get lost is a dashed line. */
  #drawLink(node) {
    if (!node.member.degraded) {
      node.link?.remove();
      node.link = null;
      return;
    }
    node.link ??= this.#links.appendChild(drawing('path', { class: 'degraded' }));
    setAttribute(node.link, 'd', `M0 0L${node.x.toFixed(1)} ${node.y.toFixed(1)}`);
  }

  #add(name) {
    this.#made += 1;
    const node = drawing('path', { role: 'option', id: `map-${this.#made}`, 'aria-selected': String(name === this.#selected) });
    const made = { node, link: null, label: shorten(spell(name)), text: null, member: null };
    this.#marks.append(node);
    this.#nodes.set(name, made);
    return made;
  }

  #remove(name) {
    const node = this.#nodes.get(name);
    if (!node) return;
    node.node.remove();
    node.link?.remove();
    this.#nodes.delete(name);
    if (this.#active === name) this.#point(null);
  }

  /** What depends on where everybody is: labels, and the rings around the selected and the active one. */
  #settle() {
    const isCrowded = this.#nodes.size > MAX_LABELS;
    const fitting = isCrowded ? [] : fittingLabels([...this.#nodes.values()], 6, 12);
    this.#labels.replaceChildren(...fitting.map(labelOf));
    circle(this.#picked, this.#nodes.get(this.#selected));
    this.#point(this.#active);
  }

  #drawRings() {
    const rings = this.#scale.rings().map((rtt) => ({ rtt, radius: this.#scale.radius(rtt) }));
    this.#rings.replaceChildren(...rings.map(({ radius }) => drawing('circle', { r: radius })), drawing('circle', { class: 'unknown', r: UNKNOWN_RADIUS }));
    this.#ringNames.replaceChildren(...rings.map(({ rtt, radius }) => drawing('text', { y: radius - 3 }, rtt < 1000 ? `${Number(rtt.toPrecision(1))} ms` : `${rtt / 1000} s`)));
    for (const node of this.#nodes.values()) node.member = null;
  }

  #listen() {
    this.#svg.addEventListener('pointermove', (event) => this.#point(this.#near(event)));
    this.#svg.addEventListener('pointerleave', () => this.#point(null));
    this.#svg.addEventListener('click', (event) => {
      const name = this.#near(event);
      if (name !== null) this.#onSelect(name);
    });
    this.#svg.addEventListener('focus', () => this.#point(this.#active ?? this.#selected ?? this.#around()[0] ?? null));
    this.#svg.addEventListener('blur', () => this.#point(null));
    this.#svg.addEventListener('keydown', (event) => this.#key(event));
  }

  /** The member nearest to a pointer, if it is near. */
  #near(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.#svg.getScreenCTM().inverse());
    let [nearest, least] = [null, REACH];
    for (const [name, { x, y }] of this.#nodes) {
      const distance = Math.hypot(x - point.x, y - point.y);
      if (distance < least) [nearest, least] = [name, distance];
    }
    return nearest;
  }

  #key(event) {
    const names = this.#around();
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if ((event.key === 'Enter' || event.key === ' ') && this.#active !== null) {
      event.preventDefault();
      this.#onSelect(this.#active);
    } else if (steps[event.key] !== undefined && names.length > 0) {
      event.preventDefault();
      const place = names.indexOf(this.#active) + steps[event.key];
      this.#point(names[(place + names.length) % names.length]);
    }
  }

  /** The names in the order of their angles. */
  #around() {
    return [...this.#nodes].sort(([, a], [, b]) => a.angle - b.angle).map(([name]) => name);
  }

  /** Points at one member, and says which it is. */
  #point(name) {
    this.#active = name;
    const node = name === null ? undefined : this.#nodes.get(name);
    circle(this.#halo, node);
    setAttribute(this.#svg, 'aria-activedescendant', node ? node.node.id : null);
    this.#tip.hidden = !node;
    if (!node) return;
    setText(this.#tip, describe(node.member));
    const [frame, drawn] = [this.#frame.getBoundingClientRect(), node.node.getBoundingClientRect()];
    const middle = drawn.left + drawn.width / 2 - frame.left;
    this.#tip.style.left = `${Math.min(Math.max(middle, 90), frame.width - 90)}px`;
    this.#tip.style.top = `${drawn.top - frame.top + (node.y > 0 ? -8 : drawn.height + 8)}px`;
    this.#tip.classList.toggle('above', node.y > 0);
  }
}

function circle(ring, node) {
  setAttribute(ring, 'visibility', node ? 'visible' : 'hidden');
  if (node) setAttribute(ring, 'transform', `translate(${node.x.toFixed(1)} ${node.y.toFixed(1)})`);
}

function labelOf({ x, y, label }) {
  const isLeft = x < 0;
  return drawing('text', { x: (x + (isLeft ? -10 : 10)).toFixed(1), y: (y + 4).toFixed(1), 'text-anchor': isLeft ? 'end' : 'start' }, label);
}

function shorten(label) {
  const letters = [...label];
  return letters.length > LABEL_LETTERS ? `${letters.slice(0, LABEL_LETTERS - 1).join('')}…` : label;
}

function describe(member) {
  const rtt = member.rtt_ms === null ? 'round trip unknown' : milliseconds(member.rtt_ms);
  const link = member.degraded ? `, ${linkWords(member.degraded)}` : '';
  return `${spell(member.name)}: ${member.state}, ${rtt}${link}`;
}

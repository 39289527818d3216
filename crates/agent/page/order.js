// Which members the table shows, and in which order. It knows nothing of the page.

import { spell, tagList, linkWords } from './text.js';

/** What needs somebody comes first. */
const URGENCY = { suspect: 0, dead: 1, alive: 2, left: 3 };
const collator = new Intl.Collator('en', { numeric: true });
const byText = (text) => (a, b) => collator.compare(text(a), text(b));
const byNumber = (number) => (a, b) => number(a) - number(b);

const COMPARE = {
  name: byText((member) => member.name),
  state: byNumber((member) => URGENCY[member.state] ?? 4),
  address: byText((member) => member.address),
  tags: byText((member) => tagList(member.tags).join(' ')),
  rtt: byNumber((member) => member.rtt_ms),
  since: byText((member) => member.since),
  incarnation: byNumber((member) => member.incarnation),
  link: byText((member) => linkWords(member.degraded)),
};
const IS_ABSENT = {
  tags: (member) => Object.keys(member.tags).length === 0,
  rtt: (member) => member.rtt_ms === null,
  link: (member) => member.degraded === null,
};

export const COLUMNS = Object.keys(COMPARE);

/** Compares members by a column; what has nothing there comes last either way, and names decide ties. */
export function comparator({ column, descending }) {
  const compare = COMPARE[column];
  const isAbsent = IS_ABSENT[column] ?? (() => false);
  const sign = descending ? -1 : 1;
  return (a, b) => {
    const [aAbsent, bAbsent] = [isAbsent(a), isAbsent(b)];
    if (aAbsent !== bAbsent) return aAbsent ? 1 : -1;
    const order = aAbsent ? 0 : sign * compare(a, b);
    return order || collator.compare(a.name, b.name) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  };
}

/** A test for members: one of the states, and every word of the query in a name, an address or a tag. */
export function matcher({ states, query }) {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '');
  return (member) => (states.size === 0 || states.has(member.state)) && words.every((word) => hasWord(member, word));
}

function hasWord(member, word) {
  if (member.address.includes(word) || member.name.toLowerCase().includes(word)) return true;
  if (spell(member.name).toLowerCase().includes(word)) return true;
  return tagList(member.tags).some((tag) => (word.includes('=') ? tag.toLowerCase().startsWith(word) : tag.toLowerCase().includes(word)));
}

/** The names that are shown, in order; kept up to date without sorting everything for each change. */
export class Ordering {
  names = [];
  #compare = comparator({ column: 'name', descending: false });
  #matches = () => true;

  /** Everything anew. */
  rebuild(members, sort, filter) {
    this.#compare = comparator(sort);
    this.#matches = matcher(filter);
    const shown = [...members.values()].filter(this.#matches);
    this.names = shown.sort(this.#compare).map((member) => member.name);
  }

  /** Takes the changed ones out and puts each in where it belongs. */
  update(members, changed) {
    this.names = this.names.filter((name) => !changed.has(name));
    for (const name of changed) {
      const member = members.get(name);
      if (member && this.#matches(member)) this.names.splice(this.#place(members, member), 0, name);
    }
  }

  #place(members, member) {
    let [low, high] = [0, this.names.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(members.get(this.names[middle]), member) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

// Says changes to those who hear the page: a few at a time, and never faster than one can listen.

import { byId } from './dom.js';
import { counted, spell } from './text.js';

const PAUSE_MS = 4000;
/** More changes than these are told as numbers. */
const MAX_SPOKEN = 3;

export class Announcer {
  #waiting = [];
  #timer = null;

  /** Takes decisions; those on members are told. */
  tell(decisions) {
    for (const { member } of decisions) if (member) this.#waiting.push(member);
    if (this.#waiting.length > 0 && this.#timer === null) this.#speak();
  }

  #speak() {
    byId('announcer').textContent = sentence(this.#waiting);
    this.#waiting = [];
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#waiting.length > 0) this.#speak();
    }, PAUSE_MS);
  }
}

function sentence(changes) {
  if (changes.length <= MAX_SPOKEN) return changes.map(({ name, change }) => `${spell(name)} ${change}`).join('. ');
  const numbers = new Map();
  for (const { change } of changes) numbers.set(change, (numbers.get(change) ?? 0) + 1);
  const parts = [...numbers].map(([change, number]) => `${number} ${change}`);
  return `${counted(changes.length, 'change')}: ${parts.join(', ')}`;
}

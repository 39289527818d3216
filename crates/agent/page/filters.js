// The toggles by state and the search field above the table.

import { byId, element, mark, setAttribute, setText } from './dom.js';
import { STATES } from './store.js';

export class Filters {
  #toggles;
  #search = byId('member-search');

  /** `onStates` takes the set of states, `onQuery` the text. */
  constructor({ onStates, onQuery }) {
    this.states = new Set();
    this.#toggles = STATES.map((state) => this.#toggle(state, onStates));
    byId('state-toggles').append(...this.#toggles.map(({ button }) => button));
    this.#search.addEventListener('input', () => onQuery(this.#search.value));
  }

  show({ states, query }) {
    this.states = new Set(states);
    for (const { button, state } of this.#toggles) setAttribute(button, 'aria-pressed', String(states.has(state)));
    if (this.#search.value !== query) this.#search.value = query;
  }

  showCounts(counts) {
    for (const { count, state } of this.#toggles) setText(count, String(counts[state]));
  }

  #toggle(state, onStates) {
    const count = element('span', { class: 'count' }, '0');
    const button = element('button', { type: 'button', class: 'toggle', 'aria-pressed': 'false', 'data-state': state }, mark(state), `${state} `, count);
    button.addEventListener('click', () => {
      if (!this.states.delete(state)) this.states.add(state);
      onStates(new Set(this.states));
    });
    return { button, count, state };
  }
}

// What is selected, filtered and sorted, in the address of the page, so that a link shows the same.

import { COLUMNS } from './order.js';
import { STATES } from './store.js';

export const VIEWS = ['members', 'timeline', 'map', 'vitals'];

/** What the address says; what it does not say or says wrongly is as at the start. */
export function readAddress() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const sort = fields.get('sort') ?? 'state';
  const column = sort.replace(/^-/, '');
  const states = (fields.get('state') ?? '').split(',').filter((state) => STATES.includes(state));
  return {
    selected: fields.get('member'),
    states: new Set(states),
    query: fields.get('q') ?? '',
    sort: COLUMNS.includes(column) ? { column, descending: sort.startsWith('-') } : { column: 'state', descending: false },
    only: fields.has('only'),
    view: VIEWS.includes(fields.get('view')) ? fields.get('view') : 'members',
  };
}

/** Puts it there. A step that `Back` undoes is kept as such. */
export function writeAddress(wanted, isStep) {
  const fields = new URLSearchParams();
  if (wanted.selected !== null) fields.set('member', wanted.selected);
  if (wanted.states.size > 0) fields.set('state', [...wanted.states].join(','));
  if (wanted.query !== '') fields.set('q', wanted.query);
  const sort = `${wanted.sort.descending ? '-' : ''}${wanted.sort.column}`;
  if (sort !== 'state') fields.set('sort', sort);
  if (wanted.only) fields.set('only', '1');
  if (wanted.view !== 'members') fields.set('view', wanted.view);
  const hash = fields.size > 0 ? `#${fields}` : '';
  if (hash === location.hash) return;
  history[isStep ? 'pushState' : 'replaceState'](null, '', `${location.pathname}${location.search}${hash}`);
}

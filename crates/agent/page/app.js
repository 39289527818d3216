// Puts the parts of the page together: events go to the store, and what changed goes to the views, a few times a second.

import { readAddress, VIEWS, writeAddress } from './address.js';
import { Announcer } from './announce.js';
import { Charts } from './charts.js';
import { Detail } from './detail.js';
import { byId, element, setAttribute } from './dom.js';
import { Feed } from './feed.js';
import { Filters } from './filters.js';
import { Header } from './header.js';
import { NetworkMap } from './map.js';
import { Store } from './store.js';
import { Table } from './table.js';
import { Timeline } from './timeline.js';

const store = new Store();
const now = () => store.now();
const wanted = readAddress();
const small = matchMedia('(max-width: 1199px)');

const header = new Header({ onRetry: () => feed.connect() });
const filters = new Filters({
  onStates: (states) => arrangeMembers({ states }),
  onQuery: (query) => arrangeMembers({ query }),
});
const table = new Table({ onSelect: open, onSort: sortBy, now });
const map = new NetworkMap({ onSelect: open });
const timeline = new Timeline({ onSelect: open, onOnly: (only) => select(wanted.selected, only), now });
const charts = new Charts();
const detail = new Detail({ onClose: close, now });
const announcer = new Announcer();
const feed = new Feed(take, enter, () => store.mark('restarted', 'found the agent started anew; what it decided before is only here'));
const tabs = VIEWS.map(createTab);

/** At most so often is anything drawn anew; nobody reads faster. Each part has its own turn, so that no frame is late. */
const PAUSE_MS = 120;
/** Shows what changed, in the next frame if nothing was shown a moment ago. */
const showSoon = paced(() => requestAnimationFrame(show));
const showTimeline = paced(() => timeline.render(store.entries));
const showMap = paced(() => {
  const turn = new Set([...moved].slice(0, MAX_MOVED));
  for (const name of turn) moved.delete(name);
  map.update(turn);
  if (moved.size > 0) showMap();
});
/** Who changed since the map was drawn, and how many of them it draws in one turn. */
const moved = new Set();
const MAX_MOVED = 600;
/** What had the focus before the details of a member were opened. */
let openedFrom = null;

function take(kind, data) {
  const isWhole = store.apply(kind, data);
  if (kind === 'snapshot') void fetchRest();
  showSoon();
  return isWhole;
}

/** Does something at most once in a while, and in the end for the last time it was asked for. */
function paced(run) {
  let timer = null;
  let ranAt = -Infinity;
  const runNow = () => {
    timer = null;
    ranAt = performance.now();
    run();
  };
  return () => {
    const wait = ranAt + PAUSE_MS - performance.now();
    if (wait <= 0 && timer === null) runNow();
    else timer ??= setTimeout(runNow, wait);
  };
}

function show() {
  const changed = store.take();
  if (changed.self) showSelf();
  if (changed.everything) showEverything();
  else if (changed.names.size > 0 || changed.rtts) showSome(changed);
  if (changed.entries) showTimeline();
  if (changed.status) {
    header.showStatus(store.status);
    charts.render(store.samples);
  }
  announcer.tell(changed.decisions);
}

function showSelf() {
  header.showSelf(store.self);
  table.setOwn(store.self.name);
  map.rebuild(store.members, store.self.name);
}

function showEverything() {
  showCounts();
  table.rebuild(store.members, wanted.sort, wanted, store.members.size);
  map.rebuild(store.members, store.self?.name ?? null);
  if (wanted.selected !== null) detail.show(wanted.selected, store.members.get(wanted.selected));
}

function showSome({ names, rtts, decisions }) {
  showCounts();
  // Round trips change in all rows at once, and sort them only where they are what is sorted by.
  if (rtts && wanted.sort.column === 'rtt') table.rebuild(store.members, wanted.sort, wanted, store.members.size);
  else table.update(names, store.members.size);
  for (const name of rtts ? store.members.keys() : names) moved.add(name);
  showMap();
  detail.showMember(store.members.get(wanted.selected));
  if (names.has(wanted.selected) || decisions.some((decision) => decision.conflict?.name === wanted.selected)) detail.refresh();
}

function showCounts() {
  header.showCounts(store.counts);
  filters.showCounts(store.counts);
}

/** What the stream does not tell: who the agent is, and what it decided before. */
async function fetchRest() {
  try {
    const [self, recorder] = await Promise.all(['/v1/self', '/v1/recorder'].map(fetchJson));
    store.setSelf(self);
    store.fill(recorder.decisions);
    showSoon();
  } catch {
    // The stream says it when the agent is lost, and asks again when it is back.
  }
}

async function fetchJson(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

function enter(phase) {
  if (phase === 'lost') store.mark('lost', 'lost the agent; what happens from here on is not seen');
  if (phase === 'ended') store.mark('ended', 'ended in an orderly way');
  if (phase === 'live' && store.status !== null) store.mark('back', 'hears the agent again');
  header.enter(phase);
  showSoon();
}

function arrangeMembers(change) {
  Object.assign(wanted, change);
  filters.show(wanted);
  table.rebuild(store.members, wanted.sort, wanted, store.members.size);
  writeAddress(wanted, false);
}

function sortBy(column) {
  const isSame = wanted.sort.column === column;
  arrangeMembers({ sort: { column, descending: isSame && !wanted.sort.descending } });
}

/** Selects a member and goes to its details. */
function open(name) {
  if (wanted.selected === null) openedFrom = document.activeElement;
  select(name, wanted.only);
  detail.focus();
}

/** Back to where the reader came from. */
function close() {
  const name = wanted.selected;
  select(null, wanted.only);
  if (openedFrom?.isConnected && openedFrom !== document.body && !byId('members-scroller').contains(openedFrom)) openedFrom.focus();
  else table.focus(name);
  openedFrom = null;
}

function select(name, only) {
  const isStep = wanted.selected === null && name !== null;
  Object.assign(wanted, { selected: name, only });
  showSelection();
  writeAddress(wanted, isStep);
}

function showSelection() {
  shade();
  document.body.classList.toggle('has-detail', wanted.selected !== null);
  detail.show(wanted.selected, store.members.get(wanted.selected));
  table.select(wanted.selected);
  map.select(wanted.selected);
  timeline.select(wanted.selected, wanted.only);
  table.measure();
}

/** On small screens the details cover everything else, which cannot be reached then. */
function shade() {
  const isCovered = small.matches && wanted.selected !== null;
  for (const part of document.querySelectorAll('.masthead, main > section:not(#detail), #views')) part.inert = isCovered;
}

/** On small screens one part is shown at a time. */
function showView(view) {
  wanted.view = view;
  document.body.dataset.shows = view;
  for (const { button, view: other } of tabs) setAttribute(button, 'aria-current', view === other ? 'true' : null);
  table.measure();
}

function createTab(view) {
  const button = element('button', { type: 'button' }, view);
  button.addEventListener('click', () => {
    showView(view);
    writeAddress(wanted, false);
    scrollTo(0, 0);
  });
  return { button, view };
}

/** Takes over what the address says: at the start, and when the reader goes back. */
function followAddress() {
  Object.assign(wanted, readAddress());
  filters.show(wanted);
  table.rebuild(store.members, wanted.sort, wanted, store.members.size);
  showView(wanted.view);
  showSelection();
}

byId('views').append(...tabs.map(({ button }) => button));
byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('member-search').focus();
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && wanted.selected !== null && event.target !== byId('member-search')) close();
  if (event.key === '/' && !event.target.closest('input')) {
    event.preventDefault();
    byId('member-search').focus();
  }
});
addEventListener('popstate', followAddress);
small.addEventListener('change', shade);
setInterval(() => {
  header.tick();
  table.tick();
  detail.tick();
}, 1000);
followAddress();
feed.connect();

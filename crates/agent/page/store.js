// What is known of the cluster, made from events. It knows nothing of the page.

import { subject } from './decisions.js';
import { sample } from './samples.js';
import { counted } from './text.js';

export const STATES = ['alive', 'suspect', 'dead', 'left'];
/** How many entries the timeline keeps. */
const MAX_ENTRIES = 1000;
/** For how long charts go back. */
export const HISTORY_MS = 300_000;

export class Store {
  members = new Map();
  counts = { alive: 0, suspect: 0, dead: 0, left: 0 };
  /** The oldest first. */
  entries = [];
  status = null;
  self = null;
  samples = [];
  #version = null;
  #entryOf = new Map();
  #agentAhead = 0;
  #marks = 0;
  #changed = unchanged();

  /** Takes in one event. `false` says that something went by, so that everything is needed anew. */
  apply(kind, data) {
    if (kind === 'snapshot') this.#replace(data);
    else if (kind === 'change') return this.#change(data);
    else if (kind === 'decision') this.#decide(data);
    else if (kind === 'gap') this.mark('gap', `missed ${counted(data.missed, 'event')}`);
    else if (kind === 'status') this.#report(data);
    else if (kind === 'rtts') this.#measure(data);
    return true;
  }

  /** What changed since this was asked last. */
  take() {
    const changed = this.#changed;
    this.#changed = unchanged();
    return changed;
  }

  /** The agent's clock, in milliseconds. */
  now() {
    return Date.now() + this.#agentAhead;
  }

  setSelf(self) {
    this.self = self;
    this.#changed.self = true;
  }

  /** Decisions of before, the oldest first. */
  fill(decisions) {
    for (const decision of decisions) this.#record(decision);
  }

  /** Something that happened to what is shown here, and not in the cluster. */
  mark(kind, text) {
    this.#marks += 1;
    const at = new Date(this.now()).toISOString();
    this.#insert({ key: `mark ${this.#marks}`, at, kind, name: null, change: null, decision: { at, first: at, times: 1, kind, text } });
  }

  #replace({ version, now, members }) {
    this.#version = version;
    this.#setClock(now);
    this.members = new Map(members.map((member) => [member.name, member]));
    this.counts = { alive: 0, suspect: 0, dead: 0, left: 0 };
    for (const member of members) this.#count(member, 1);
    this.#changed.everything = true;
  }

  #change({ version, member, decision }) {
    if (this.#version === null || version !== this.#version + 1) return false;
    this.#version = version;
    const before = this.members.get(member.name);
    if (before) this.#count(before, -1);
    if (decision.member?.change === 'reaped') {
      this.members.delete(member.name);
    } else {
      this.members.set(member.name, member);
      this.#count(member, 1);
    }
    this.#changed.names.add(member.name);
    this.#changed.decisions.push(decision);
    this.#record(decision);
    return true;
  }

  #decide(decision) {
    this.#link(decision.link_degraded, (link) => ({ kind: link.kind, since: link.since }));
    this.#link(decision.link_restored, () => null);
    this.#changed.decisions.push(decision);
    this.#record(decision);
  }

  #link(link, degraded) {
    const member = link && this.members.get(link.name);
    if (!member) return;
    this.members.set(link.name, { ...member, degraded: degraded(link) });
    this.#changed.names.add(link.name);
  }

  #report(status) {
    this.#setClock(status.at);
    const at = Date.parse(status.at);
    this.samples.push(sample(at, status, this.samples.at(-1)));
    while (this.samples[0].at < at - HISTORY_MS) this.samples.shift();
    this.status = status;
    this.#changed.status = true;
  }

  #measure(rtts) {
    for (const [name, rtt] of Object.entries(rtts)) {
      const member = this.members.get(name);
      if (member && member.rtt_ms !== rtt) this.members.set(name, { ...member, rtt_ms: rtt });
    }
    this.#changed.rtts = true;
  }

  #count(member, by) {
    if (member.state in this.counts) this.counts[member.state] += by;
  }

  #setClock(time) {
    this.#agentAhead = Date.parse(time) - Date.now();
  }

  /** A repeated decision takes the place of what was told of it before. */
  #record(decision) {
    const { name, change, key } = subject(decision);
    const told = this.#entryOf.get(key);
    if (told && told.at >= decision.at) return;
    if (told) this.entries.splice(this.entries.lastIndexOf(told), 1);
    this.#insert({ key, at: decision.at, kind: decision.kind, name, change, decision });
  }

  #insert(entry) {
    let place = this.entries.length;
    while (place > 0 && this.entries[place - 1].at > entry.at) place -= 1;
    this.entries.splice(place, 0, entry);
    this.#entryOf.set(entry.key, entry);
    while (this.entries.length > MAX_ENTRIES) this.#entryOf.delete(this.entries.shift().key);
    this.#changed.entries = true;
  }
}

function unchanged() {
  return { everything: false, names: new Set(), decisions: [], rtts: false, status: false, self: false, entries: false };
}

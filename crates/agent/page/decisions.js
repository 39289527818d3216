// What a decision is about, and its evidence in words.

import { milliseconds, spell, counted } from './text.js';

/** Whom a decision is about (`null`: the agent itself), and a key that its repetitions share. */
export function subject(decision) {
  const member = decision.member ?? decision.conflict ?? decision.link_degraded ?? decision.link_restored ?? null;
  const name = member?.name ?? null;
  const change = decision.member?.change ?? null;
  const about = name ?? decision.reconnect?.to ?? '';
  return { name, change, key: [decision.kind, decision.first, change, about].join(' ') };
}

/** The state that a mark next to the decision shows. */
export function stateOf(decision) {
  if (decision.member) return decision.member.change === 'reaped' ? 'left' : decision.member.state;
  return { link_degraded: 'degraded', link_restored: 'alive', conflict: 'suspect' }[decision.kind] ?? 'none';
}

/** The evidence of a decision as pairs of a label and a value. */
export function evidencePairs(decision) {
  const evidence = decision.member?.evidence ?? decision.refuted?.evidence;
  if (!evidence) return [];
  const pairs = [
    ['cause', words(evidence.cause)],
    ['before', evidence.before ?? 'unknown'],
    ['learned', learned(evidence)],
    ['last answer', evidence.last_ack_ms === null ? 'never' : `${milliseconds(evidence.last_ack_ms)} before`],
    ['own lag', milliseconds(evidence.lag_ms)],
    ['claim about incarnation', String(evidence.incarnation)],
    ...optional(evidence),
    ...probed(evidence.probe),
  ];
  return pairs.filter(([, value]) => value !== '');
}

function learned({ via, peer }) {
  if (via === 'own') return 'by itself';
  return `by ${via}${peer ? ` with ${peer}` : ''}`;
}

function optional(evidence) {
  const pairs = [];
  if (evidence.accusers?.length) pairs.push(['accused by', evidence.accusers.map(spell).join(', ')]);
  if (evidence.declared_by !== undefined) pairs.push(['declared by', spell(evidence.declared_by)]);
  if (evidence.ran_ms !== undefined) pairs.push(['suspicion ran', milliseconds(evidence.ran_ms)]);
  if (evidence.heard !== undefined) pairs.push(['heard', evidence.heard]);
  if (evidence.superseded_at !== undefined) pairs.push(['now at', evidence.superseded_at]);
  return pairs;
}

function probed(probe) {
  if (!probe) return [];
  return [
    ['waited', milliseconds(probe.waited_ms)],
    ['helpers', probe.helpers === 0 ? 'none asked' : `${counted(probe.helpers, 'helper')}, ${probe.nacks} of ${probe.nacks_expected} said no`],
    ['stream', words(probe.stream)],
    ['health then', String(probe.health)],
  ];
}

function words(identifier) {
  return identifier.replaceAll('_', ' ');
}

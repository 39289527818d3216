// Links between agents, as bad as a test wants them. For a network that belongs to the tests alone: `cargo xtask e2e` makes one.

import { spawnSync } from 'node:child_process';

/** Why this machine can't, or `null`. */
export const CANNOT = process.env.MINGLE_PAGE_NETWORK === 'own' ? null : 'the network is not the tests\' own; `cargo xtask e2e` makes one, where it may';

const TABLE = 'inet mingle_page';

/** Drops all packets between two agents, in silence; streams get through. */
export function dropPackets(one, other) {
  const ways = [[one, other], [other, one]].map(([from, to]) => `udp sport ${port(from)} udp dport ${port(to)} drop`);
  // Where they come in: a sender would be told of what is dropped on its way out.
  nft(`table ${TABLE} { chain lossy { type filter hook input priority 0; ${ways.join('; ')}; }; }`);
}

export function dropNothing() {
  // Making it first makes it no error that it is not there.
  nft(`table ${TABLE} {}\ndelete table ${TABLE}`);
}

function nft(commands) {
  const { status, stderr, error } = spawnSync('nft', ['-f', '-'], { input: commands, encoding: 'utf8' });
  if (status !== 0) throw new Error(`nft: ${error?.message ?? stderr}`);
}

function port({ gossip }) {
  return gossip.slice(gossip.lastIndexOf(':') + 1);
}

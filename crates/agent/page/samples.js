// What the charts show of one status event.

/** Statuses further apart than this say nothing of the time between them. */
export const BREAK_MS = 4000;

/** One point in time; rates are over the time since the point before it. */
export function sample(at, status, before) {
  const { traffic, view } = status;
  const bytesIn = traffic.datagram_bytes_in + traffic.stream_bytes_in;
  const bytesOut = traffic.datagram_bytes_out + traffic.stream_bytes_out;
  const counters = { packetsIn: traffic.datagrams_in, packetsOut: traffic.datagrams_out, bytesIn, bytesOut };
  return {
    at,
    counters,
    alive: status.members.alive,
    agreed: view.told === 0 ? null : view.agreeing / view.told,
    health: status.health,
    degraded: status.degraded,
    lag: status.lag_ms,
    ...rates(at, counters, before),
  };
}

/** Counters that fell are those of another process. */
function rates(at, counters, before) {
  const seconds = before ? (at - before.at) / 1000 : 0;
  const isKnown = seconds > 0 && seconds * 1000 <= BREAK_MS;
  return Object.fromEntries(Object.entries(counters).map(([name, value]) => {
    const grown = isKnown ? value - before.counters[name] : -1;
    return [name, grown < 0 ? null : grown / seconds];
  }));
}

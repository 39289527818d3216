// Where the map puts whom. It knows nothing of the page.

export const RADIUS = 162;
const INNER = 26;
/** Where those are whose round trip is not known. */
export const UNKNOWN_RADIUS = RADIUS + 10;

/** An angle that depends on the name alone, so that nobody moves when others come and go. */
export function angleOf(name) {
  let hash = 0x811c9dc5;
  for (let place = 0; place < name.length; place += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(place), 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return ((hash >>> 0) / 2 ** 32) * 2 * Math.PI;
}

/** The decades of milliseconds that the map spans. They only widen, for the same reason. */
export class Scale {
  low = -1;
  high = 1;

  /** Makes room for these round trips; says whether that changed anything. */
  widen(rtts) {
    const [low, high] = [this.low, this.high];
    for (const rtt of rtts) {
      if (rtt === null || rtt <= 0) continue;
      this.low = Math.max(-3, Math.min(this.low, Math.floor(Math.log10(rtt))));
      this.high = Math.min(5, Math.max(this.high, Math.ceil(Math.log10(rtt))));
    }
    return low !== this.low || high !== this.high;
  }

  radius(rtt) {
    if (rtt === null) return UNKNOWN_RADIUS;
    const share = (Math.log10(Math.max(rtt, 1e-3)) - this.low) / (this.high - this.low);
    return INNER + (RADIUS - INNER) * Math.min(Math.max(share, 0), 1);
  }

  /** The round trips at which there are rings. */
  rings() {
    return Array.from({ length: this.high - this.low + 1 }, (_, step) => 10 ** (this.low + step));
  }
}

/** The place of a member on the map. */
export function placeOf(scale, member) {
  const [angle, radius] = [angleOf(member.name), scale.radius(member.rtt_ms)];
  return { angle, x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
}

/** Which labels fit next to their members without covering another one. */
export function fittingLabels(nodes, lettersWide, lineHigh) {
  const taken = nodes.map(({ x, y }) => ({ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 }));
  return nodes.filter(({ x, y, label }) => {
    const width = label.length * lettersWide;
    const left = x < 0 ? x - 10 - width : x + 10;
    const box = { left, right: left + width, top: y - lineHigh / 2, bottom: y + lineHigh / 2 };
    const isFree = taken.every((other) => box.right < other.left || other.right < box.left || box.bottom < other.top || other.bottom < box.top);
    if (isFree) taken.push(box);
    return isFree;
  });
}

// The symbols of the states on the map. They are drawn where they belong, without transforms: thousands of
// those are dear.

const CROSS = [[-1.1, -0.6], [0.5, -0.5], [0.6, 0.6], [0.6, -0.6], [0.5, 0.5], [-0.6, 0.6], [0.6, 0.6], [-0.5, 0.5], [-0.6, -0.6], [-0.6, 0.6], [-0.5, -0.5], [0.6, -0.6]];
const TRIANGLE = [[0, -1.3], [1.3, 2.3], [-2.6, 0]];
/** Half of the width of a symbol when there are few members. */
const HALF = 5;

/** How large symbols are, among so many. */
export function sizeFor(members) {
  return [[60, 1], [250, 0.8], [1000, 0.6]].find(([most]) => members <= most)?.[1] ?? 0.4;
}

/** The path of a state's symbol at a place. */
export function shapeOf(state, x, y, size) {
  const half = HALF * size;
  const from = `M${x.toFixed(1)} ${y.toFixed(1)}`;
  if (state === 'suspect') return from + polygon(TRIANGLE, half);
  if (state === 'dead') return from + polygon(CROSS, half);
  return `${from}m${-half} 0a${half} ${half} 0 1 0 ${2 * half} 0a${half} ${half} 0 1 0 ${-2 * half} 0z`;
}

/** A closed line of steps, each from where the last one ended. */
function polygon(steps, half) {
  return `${steps.map(([x, y], index) => `${index === 0 ? 'm' : 'l'}${(x * half).toFixed(2)} ${(y * half).toFixed(2)}`).join('')}z`;
}

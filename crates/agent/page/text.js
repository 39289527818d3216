// How things are spelled. Nothing here touches the page.

/** What cannot be seen, or changes how its neighbours are seen. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;

/** A text that a peer chose, with everything invisible spelled as `\u{…}`, so that no two texts look alike. */
export function spell(text) {
  return text === '' ? '(empty)' : legible(String(text).replaceAll('\\', '\\\\'));
}

/** A sentence of the agent: names in it are escaped already, and nothing else in it may be invisible either. */
export function legible(text) {
  return text.replace(UNSEEN, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

/** The tags of a member, each as `key=value`. */
export function tagList(tags) {
  return Object.entries(tags).map(([key, value]) => `${key === '' ? '' : spell(key)}=${value === '' ? '' : spell(value)}`);
}

/** A length of time with two digits or so: what people say. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '';
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86_400) return pair(whole, 3600, 'h', 60, 'min');
  return pair(whole, 86_400, 'd', 3600, 'h');
}

function pair(whole, large, largeUnit, small, smallUnit) {
  const number = Math.floor(whole / large);
  const rest = number < 10 ? Math.floor((whole % large) / small) : 0;
  return rest === 0 ? `${number} ${largeUnit}` : `${number} ${largeUnit} ${rest} ${smallUnit}`;
}

/** Milliseconds as short as they stay telling: `0.21 ms`, `12 ms`, `3.0 s`. */
export function milliseconds(value) {
  if (value === null || value === undefined) return '';
  if (value >= 10_000) return duration(value / 1000);
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value === 0 ? '0' : value.toFixed(value < 1 ? 2 : value < 10 ? 1 : 0)} ms`;
}

/** A count with its unit in thousands: `950 B`, `1.2 kB`. */
export function scaled(value, unit) {
  const steps = ['', 'k', 'M', 'G'];
  let step = 0;
  while (value >= 999.5 && step < steps.length - 1) {
    value /= 1000;
    step += 1;
  }
  const digits = step > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${steps[step]}${unit}`.trimEnd();
}

/** The time of day of an RFC 3339 time, in UTC as in the agent's log; with the date when that is another one. */
export function clock(time, now) {
  const spelled = new Date(time).toISOString();
  const isToday = spelled.slice(0, 10) === new Date(now).toISOString().slice(0, 10);
  return isToday ? spelled.slice(11, 19) : `${spelled.slice(5, 10)} ${spelled.slice(11, 19)}`;
}

const here = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });

/** A time in full: as the agent said it, and where the reader is. */
export function fullTime(time) {
  return `${time}, here ${here.format(new Date(time))}`;
}

/** How the link of a member is degraded, in words. */
export function linkWords(degraded) {
  if (!degraded) return '';
  return { streams_only: 'streams only', helpers_only: 'helpers only' }[degraded.kind] ?? spell(degraded.kind);
}

/** `1 member`, `2 members`. */
export function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

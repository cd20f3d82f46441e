import { hopByHop } from '../http/hop-by-hop.js';

/** @param raw names and values in turn, as Node.js gives them; also the result, which keeps order, case and repetition */
export function passedOn(raw: readonly string[]): [name: string, value: string][] {
  const headers = pairs(raw);
  const named = headers
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.toLowerCase().split(/[\s,]+/));
  // Without them nobody could tell whose the message is, and where it ends.
  const kept = new Set(['host', 'content-length']);
  const left = new Set([...hopByHop, ...named.filter((name) => !kept.has(name))]);
  return headers.filter(([name]) => !left.has(name.toLowerCase()));
}

export function valuesOf(raw: readonly string[], name: string): string[] {
  return pairs(raw)
    .filter(([each]) => each.toLowerCase() === name)
    .map(([, value]) => value);
}

function pairs(raw: readonly string[]): [name: string, value: string][] {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[2 * at]!, raw[2 * at + 1]!]);
}

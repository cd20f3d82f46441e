import { limits } from '../limits.js';

/** Names of PostgreSQL are no longer, and texts that are take too long to compare. */
const longestCompared = 63;

/** How much alike what is suggested has to be, from 0 to 1. */
export const leastSimilarity = {
  /** A name that anybody may try is not to be guessed letter by letter. */
  name: 0.75,
  /** Names that the client can see anyway. */
  related: 0.33,
} as const;

/**
 * The one of `candidates` that `name` is most likely a misspelling of, if any is near enough. PostgREST looks first
 * among those that share three letters in a row with it, then two.
 */
export function closestName(
  name: string,
  candidates: Iterable<string>,
  least: number = leastSimilarity.name,
): string | undefined {
  if (name.length > longestCompared) return undefined;
  const compared = Array.from(take(candidates, limits.suggestionCandidates));
  return mostSimilar(name, compared, least, 3) ?? mostSimilar(name, compared, least, 2);
}

function* take<T>(items: Iterable<T>, most: number): Iterable<T> {
  let taken = 0;
  for (const item of items) {
    if (taken === most) return;
    taken += 1;
    yield item;
  }
}

function mostSimilar(
  name: string,
  candidates: readonly string[],
  least: number,
  letters: number,
): string | undefined {
  const parts = new Set(partsOf(name, letters));
  let best: string | undefined;
  let bestSimilarity = least;
  for (const candidate of candidates) {
    const similarity = similarityOf(name.toLowerCase(), candidate.toLowerCase(), least);
    if (similarity < bestSimilarity || (best !== undefined && similarity === bestSimilarity)) continue;
    if (!partsOf(candidate, letters).some((part) => parts.has(part))) continue;
    [best, bestSimilarity] = [candidate, similarity];
  }
  return best;
}

/** All runs of so many letters; the ends count as letters too, signs other than commas and spaces not. */
function partsOf(name: string, letters: number): string[] {
  const text = `-${name.toLowerCase().replaceAll(/[^\p{L}\p{N}, ]/gu, '')}-`;
  const count = Math.max(0, text.length - letters + 1);
  return Array.from({ length: count }, (_, i) => text.slice(i, i + letters));
}

/** 1 for equal texts, 0 for texts without a common letter: Levenshtein distance by length. */
function similarityOf(a: string, b: string, least: number): number {
  const longest = Math.max(a.length, b.length);
  // Far apart by their lengths alone; long texts are not worth comparing.
  if (longest > longestCompared || Math.abs(a.length - b.length) > longest * (1 - least)) return 0;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substituted, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return 1 - previous[b.length]! / longest;
}

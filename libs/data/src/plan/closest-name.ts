import { limits } from '../limits.js';

const leastSimilarity = 0.75;

/** The one of `candidates` that `name` is most likely a misspelling of, if any is near enough. */
export function closestName(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestSimilarity = leastSimilarity;
  let compared = 0;
  for (const candidate of candidates) {
    compared += 1;
    if (compared > limits.suggestionCandidates) break;
    const similarity = similarityOf(name.toLowerCase(), candidate.toLowerCase());
    if (similarity >= bestSimilarity) [best, bestSimilarity] = [candidate, similarity];
  }
  return best;
}

/** 1 for equal texts, 0 for texts without a common letter: Levenshtein distance by length. */
function similarityOf(a: string, b: string): number {
  const longest = Math.max(a.length, b.length);
  // Far apart by their lengths alone; long texts are not worth comparing.
  if (longest > 63 || Math.abs(a.length - b.length) > longest * (1 - leastSimilarity)) return 0;
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

import { poolLimits as limits } from './pool-limits.js';

/** Boundaries of the histogram: 1 s, 1.4 s, 2 s … beyond the longest that an instance is kept. */
const bucketsPerDoubling = 2;
const shortestMs = 1_000;
const buckets = Math.ceil(Math.log2(limits.longestIdleMs / shortestMs) * bucketsPerDoubling) + 2;

/**
 * How long a function rests between calls, and so how long an unused instance of it is worth keeping ("Serverless in
 * the Wild", ATC 2020, §4): until nearly all of the calls have come that come soon, and hardly at all if most come
 * later than any instance is kept. Old gaps count less than new ones.
 */
export class IdleGaps {
  #restsSinceMs: number | null = null;
  readonly #counts = Array.from({ length: buckets }, () => 0);
  #total = 0;

  /** To be called when nothing is asked of the function any more; times are of one monotonic clock. */
  noteRest(nowMs: number): void {
    this.#restsSinceMs = nowMs;
  }

  /** To be called when something is asked. */
  noteCall(nowMs: number): void {
    if (this.#restsSinceMs !== null) this.#add(nowMs - this.#restsSinceMs);
    this.#restsSinceMs = null;
  }

  #add(gapMs: number): void {
    this.#counts[bucketOf(gapMs)]! += 1;
    this.#total += 1;
    if (this.#total < limits.rememberedGaps) return;
    this.#total = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      this.#counts[bucket] = count / 2;
      this.#total += count / 2;
    }
  }

  /** In milliseconds. */
  get keepMs(): number {
    if (this.#total < limits.knownGaps) return limits.usualIdleMs;
    const tooLate = this.#counts.at(-1)!;
    if (tooLate > this.#total / 2) return limits.shortestIdleMs;
    const wanted = (this.#total - tooLate) * limits.keptGapShare;
    let seen = 0;
    const bucket = this.#counts.findIndex((count) => (seen += count) >= wanted);
    return Math.min(Math.max(upperBoundOf(bucket), limits.shortestIdleMs), limits.longestIdleMs);
  }
}

function bucketOf(gapMs: number): number {
  if (gapMs > limits.longestIdleMs) return buckets - 1;
  const exact = Math.ceil(Math.log2(Math.max(gapMs, shortestMs) / shortestMs) * bucketsPerDoubling);
  return Math.min(exact, buckets - 2);
}

function upperBoundOf(bucket: number): number {
  return shortestMs * 2 ** (bucket / bucketsPerDoubling);
}

import { clientNetwork, projectResource, systemClock, type Clock, type Project } from '#libs/platform';
import { overRequestRateLimit } from './errors.js';
import { limits, type RateLimit } from './limits.js';

interface Bucket {
  left: number;
  at: number;
}

/** Token buckets by client, in the memory of this process. The longest unused ones are forgotten first. */
export class RateLimiter {
  readonly #buckets = new Map<string, Bucket>();

  constructor(
    private readonly clock: Clock = systemClock,
    private readonly maxClients: number = limits.rememberedClients,
  ) {}

  /** Counts one request. Returns 0 when it may pass, else the seconds after which the next may. */
  take(key: string, rate: RateLimit): number {
    const now = this.clock.now().getTime();
    const known = this.#buckets.get(key);
    const refilled = known ? known.left + ((now - known.at) * rate.requests) / rate.perMs : rate.requests;
    const bucket = { left: Math.min(refilled, rate.requests), at: now };
    const passes = bucket.left >= 1;
    if (passes) bucket.left -= 1;
    this.#remember(key, bucket);
    return passes ? 0 : Math.ceil(((1 - bucket.left) * rate.perMs) / rate.requests / 1000);
  }

  #remember(key: string, bucket: Bucket): void {
    // A Map iterates in the order of insertion, so inserting anew moves the key to the young end.
    this.#buckets.delete(key);
    if (this.#buckets.size >= this.maxClients) this.#buckets.delete(this.#buckets.keys().next().value!);
    this.#buckets.set(key, bucket);
  }
}

const rateLimiterOf = projectResource('auth rate limiter', () => new RateLimiter());

/**
 * Counts one request of the client at `ip` against `rate`.
 * @throws AppError `over_request_rate_limit` (429) with `Retry-After`.
 */
export function throttle(project: Project, what: string, rate: RateLimit, ip: string): void {
  const retryAfterSeconds = rateLimiterOf(project).take(`${what} ${clientNetwork(ip)}`, rate);
  if (retryAfterSeconds > 0) throw overRequestRateLimit(retryAfterSeconds);
}

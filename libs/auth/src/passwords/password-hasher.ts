import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/bcrypt';
import { overRequestRateLimit } from '../errors.js';
import { AuthLimits, limits } from '../limits.js';

/** A hash of 24 random bytes that nobody kept: no password fits it. Its cost is that of real ones. */
const unmatchableHash = '$2b$10$iVtSCQKp14JXCtz9Ye2iT.mi1qSPDzMm5Sb8ocsLbgUbyERTXCw0e';

/**
 * Hashes and checks passwords off the event loop, a few at a time; others wait in line, and when the line is
 * full are refused at once, so that a flood of sign-ins cannot pile up work without end.
 */
@Injectable()
export class PasswordHasher {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly bounds: AuthLimits) {}

  /** @throws AppError `over_request_rate_limit` (429) when too many are waiting already. */
  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(password, { cost: limits.bcryptCost }));
  }

  /**
   * Tells whether `storedHash` ($2a$, $2b$ or $2y$) is one of `password`. Without a stored hash it takes as long
   * and says no, so that the time of an answer does not tell whether there is an account.
   *
   * @throws AppError `over_request_rate_limit` (429) when too many are waiting already.
   */
  verify(password: string, storedHash: string | null): Promise<boolean> {
    const matchable = storedHash !== null && storedHash !== '';
    return this.#inTurn(async () => {
      const matches = await verify(password, matchable ? storedHash : unmatchableHash);
      return matches && matchable;
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.bounds.concurrentHashes) {
      if (this.#waiting.length >= this.bounds.waitingHashes) throw overRequestRateLimit(1);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await work();
    } finally {
      // The place goes straight to the next in line, so nobody can slip in between.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}

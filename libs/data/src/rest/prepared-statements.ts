import { projectResource } from '#libs/platform';
import { limits } from '../limits.js';

/**
 * Decides which statements are worth keeping prepared: planning a read by primary key costs more than running
 * it. A text gets a name after a few uses, as long as there are names left; one-off texts never do. Names are
 * never taken back, because a connection cannot be told to forget one while others still use it.
 *
 * Names differ by role, since PostgreSQL plans row-level security for the role at hand and would plan anew at
 * each change of role.
 */
export class PreparedStatements {
  readonly #names = new Map<string, string>();
  readonly #uses = new Map<string, number>();

  /** The name to run `text` under as `role`, or undefined to run it unprepared. */
  nameOf(role: string, text: string): string | undefined {
    if (text.length > limits.preparedTextLength) return undefined;
    const key = `${role}\0${text}`;
    const name = this.#names.get(key);
    if (name !== undefined || this.#names.size >= limits.preparedStatements) return name;
    const uses = (this.#uses.get(key) ?? 0) + 1;
    if (uses < limits.usesBeforePreparing) {
      this.#remember(key, uses);
      return undefined;
    }
    this.#uses.delete(key);
    const next = `galley_rest_${this.#names.size}`;
    this.#names.set(key, next);
    return next;
  }

  /** Counts only the texts used last; among those the oldest is forgotten first. */
  #remember(key: string, uses: number): void {
    this.#uses.delete(key);
    this.#uses.set(key, uses);
    if (this.#uses.size > limits.countedStatements) this.#uses.delete(this.#uses.keys().next().value!);
  }
}

/** Names of the prepared statements of a project's connections. */
export const preparedStatements = projectResource('data.statements', () => new PreparedStatements());

import { projectResource } from '#libs/platform';
import { limits } from '../limits.js';

/**
 * Decides which statements are worth keeping prepared: planning a read by primary key costs more than running
 * it. A text gets a name after a few uses; one-off texts never do.
 *
 * Names differ by role, since PostgreSQL plans row-level security for the role at hand and would plan anew at
 * each change of role. They begin anew with each snapshot of the schema, since a statement keeps the types that its
 * parameters had when it was prepared, and when there are too many, so that nobody can use them up for the others.
 */
export class PreparedStatements {
  readonly #names = new Map<string, string>();
  readonly #uses = new Map<string, number>();
  #schema: object | undefined;
  #generation = 0;

  /** @param onBeginAnew  connections hold statements now whose names nobody uses any more */
  constructor(private readonly onBeginAnew: () => void) {}

  /** The name to run `text` under as `role`, or undefined to run it unprepared. `schema` is the newest snapshot. */
  nameOf(schema: object | undefined, role: string, text: string): string | undefined {
    if (schema !== this.#schema) this.#beginAnew();
    this.#schema = schema;
    if (text.length > limits.preparedTextLength) return undefined;
    const key = `${role}\0${text}`;
    const name = this.#names.get(key);
    if (name !== undefined) return name;
    const uses = (this.#uses.get(key) ?? 0) + 1;
    if (uses < limits.usesBeforePreparing) {
      this.#remember(key, uses);
      return undefined;
    }
    this.#uses.delete(key);
    if (this.#names.size >= limits.preparedStatements) this.#beginAnew();
    const next = `galley_rest_${this.#generation}_${this.#names.size}`;
    this.#names.set(key, next);
    return next;
  }

  #beginAnew(): void {
    if (this.#names.size === 0) return;
    this.#names.clear();
    this.#generation += 1;
    this.onBeginAnew();
  }

  /** Counts only the texts used last; among those the oldest is forgotten first. */
  #remember(key: string, uses: number): void {
    this.#uses.delete(key);
    this.#uses.set(key, uses);
    if (this.#uses.size > limits.countedStatements) this.#uses.delete(this.#uses.keys().next().value!);
  }
}

/** Names of the prepared statements of a project's connections. */
export const preparedStatements = projectResource(
  'data.statements',
  ({ database }) => new PreparedStatements(() => database.renewCallersConnections()),
);

import type pg from 'pg';
import type { Caller } from '../caller.js';
import { AppError } from '../errors/app-error.js';
import type { CallerStatements, CallerTransaction } from './project-database.js';
import { quoteIdent, type Sql } from './sql.js';
import { sentAhead, sqlOf, statementOf, type Ahead, type StatementOptions } from './transaction.js';

/**
 * One transaction for several requests of one caller, each as it would be in a transaction of its own: it knows its
 * own settings and none of those before it, and one that only reads cannot write. How the transaction ends is not
 * theirs to say.
 */
export class SharedTransaction implements CallerStatements {
  /** Names of settings that requests so far had. */
  readonly #settings = new Set<string>();
  #writable: Promise<unknown> = Promise.resolve();

  /**
   * @param begin  how the transaction began; its settings are those of each request that has no others
   * @param aheadOf  takes a request's role and settings
   */
  constructor(
    private readonly client: pg.PoolClient,
    private readonly begin: CallerTransaction,
    private readonly aheadOf: (caller: Caller, request: CallerTransaction) => readonly Ahead[],
  ) {}

  async queryAsCaller<Row extends object>(
    caller: Caller,
    request: CallerTransaction & StatementOptions,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<{ rows: Row[]; rowCount: number }> {
    return this.asCaller(caller, request, async () => {
      const { rows, rowCount } = await this.client.query<Row>(statementOf(request, text, values));
      return { rows, rowCount: rowCount ?? 0 };
    });
  }

  /** @throws AppError 25001 (400) for a request that wants to be isolated more than the transaction is */
  async asCaller<T>(caller: Caller, request: CallerTransaction, work: (tx: Sql) => Promise<T>): Promise<T> {
    this.#refuseStrongerIsolation(request);
    const mustNotWrite = request.readOnly === true && this.begin.readOnly !== true;
    const settings = { ...this.begin.settings, ...request.settings };
    // Back to the login's role, which may set what the caller's may not.
    const beforeRole = { role: 'none', ...request.beforeRole };
    const ahead = [
      ...(mustNotWrite ? [{ text: 'savepoint reading' }, { text: 'set transaction read only' }] : []),
      ...this.#forgotten({ ...beforeRole, ...settings }),
      ...this.aheadOf(caller, { ...request, settings, beforeRole }),
    ];
    const result = await sentAhead(this.client, ahead, () => work(sqlOf(this.client)));
    if (mustNotWrite) this.#writeAgain();
    return result;
  }

  /** Not waited for: should it fail, all that follows is refused. */
  #writeAgain(): void {
    this.#writable = this.client.query('release savepoint reading');
    this.#writable.catch(() => {}); // Told by what follows, or below.
  }

  /** To be waited for before COMMIT, which PostgreSQL would take for ROLLBACK, and not say so, after an error. */
  async settled(): Promise<void> {
    await this.#writable;
  }

  /** Puts back what requests before had set and this one does not. */
  #forgotten(settings: Readonly<Record<string, string>>): Ahead[] {
    const names = [...this.#settings].filter((name) => !Object.hasOwn(settings, name));
    for (const name of Object.keys(settings)) this.#settings.add(name);
    return names.map((name) => ({ text: `set local ${quoteIdent(name)} to default` }));
  }

  #refuseStrongerIsolation({ isolation }: CallerTransaction): void {
    if (isolation === undefined || isolation === this.begin.isolation) return;
    if (this.begin.isolation === 'serializable') return;
    throw new AppError({
      code: '25001',
      status: 400,
      message: `The transaction has begun with another isolation level than "${isolation}"`,
    });
  }
}

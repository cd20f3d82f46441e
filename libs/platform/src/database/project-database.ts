import type { Socket } from 'node:net';
import pg from 'pg';
import { rootOf, type Caller } from '../caller.js';
import { limits } from '../limits.js';
import type { Abandonment } from './abandonment.js';
import { bareConnection } from './bare-connection.js';
import { cancelAbandoned } from './cancel-abandoned.js';
import { clientGone, FairPlaces } from './fair-places.js';
import { forgetSession, isForgottenStatement } from './forget-session.js';
import { inImpliedTransaction, type PreparedSettings } from './implied-transaction.js';
import { listen } from './listen.js';
import { prepared } from './prepared.js';
import type { Sql } from './sql.js';
import { SharedTransaction } from './shared-transaction.js';
import {
  inTransaction,
  plainFrame,
  sentAhead,
  sqlOf,
  statementOf,
  withClient,
  type Ahead,
  type Frame,
  type StatementOptions,
} from './transaction.js';

/** What a transaction knows of the request it serves; readable in SQL as `current_setting('galley.…')`. */
export interface RequestSettings {
  /** Follows the request into the events its changes cause: `galley.request_id`. */
  readonly requestId?: string | undefined;
  /** More transaction-local settings, e.g. `request.method`, `request.headers`. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
}

/** How a caller's transaction begins, beside what it knows. */
export interface CallerTransaction extends RequestSettings {
  readonly readOnly?: boolean | undefined;
  /** By default PostgreSQL's own. */
  readonly isolation?: 'repeatable read' | 'serializable' | undefined;
  /** Set before the role is taken, since `authenticator` may set what the role may not. */
  readonly beforeRole?: Readonly<Record<string, string>> | undefined;
  /** A statement that runs as the caller, before all others. */
  readonly first?: string | undefined;
  /** Ends in ROLLBACK, when all constraints have been checked. */
  readonly undo?: boolean | undefined;
  /**
   * When nobody waits for the answer any more, what has not begun does not, and what only reads is cancelled; what writes
   * runs to its end.
   */
  readonly abandonment?: Abandonment | undefined;
}

/** A transaction of the platform that can lower itself to a caller for some statements. */
export interface SystemTransaction extends Sql {
  /** Runs `work` with the caller's role and claims, then returns to the platform's role. */
  asCaller<T>(caller: Caller, request: RequestSettings, work: (tx: Sql) => Promise<T>): Promise<T>;
}

/** Where a caller's requests run: each in a transaction of its own, or several in one. */
export type CallerStatements = Pick<ProjectDatabase, 'queryAsCaller' | 'asCaller'>;

/**
 * A project's own database. People's statements go through `asCaller`, on connections that log in as
 * `authenticator` and hold no rights but those of the role they take; the platform's own through `asSystem`.
 */
export class ProjectDatabase {
  readonly #callers: pg.Pool;
  readonly #system: pg.Pool;
  /** Of the connections for callers. */
  readonly #places: FairPlaces;
  #renewal = 0;
  /** Which renewal a connection was made after. */
  readonly #renewals = new WeakMap<pg.ClientBase, number>();

  /** @param options.waitMs how long a caller's statement waits for a connection */
  constructor(options: { callers: pg.PoolConfig & { max: number }; system: pg.PoolConfig; waitMs: number }) {
    const { callers, waitMs: timeoutMs } = options;
    this.#places = new FairPlaces({ places: callers.max, waiting: limits.waitingStatements, timeoutMs });
    // A server that says nothing must not keep a place for ever.
    const connection = { ...callers, connectionTimeoutMillis: timeoutMs };
    // `pipeline` lets BEGIN, the role and the first statement travel in one round trip.
    this.#callers = new pg.Pool({ ...connection, pipeline: true } as pg.PoolConfig);
    this.#system = new pg.Pool({ ...options.system, pipeline: true } as pg.PoolConfig);
    // An idle connection that PostgreSQL closed is replaced at the next checkout; nothing to do here.
    this.#callers.on('error', () => {});
    this.#callers.on('connect', (client) => void this.#renewals.set(client, this.#renewal));
    this.#system.on('error', () => {});
  }

  /**
   * Runs one statement in a transaction of its own as the caller.
   *
   * @throws AppError as {@link FairPlaces.take} does
   */
  async queryAsCaller<Row extends object = Record<string, unknown>>(
    caller: Caller,
    request: CallerTransaction & StatementOptions,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<{ rows: Row[]; rowCount: number }> {
    const isImplied = mayBeImplied(request);
    return this.#tried(async (mayBePrepared) => {
      const named = mayBePrepared ? request : { ...request, statementName: undefined };
      const statement = statementOf(named, text, values);
      const run = async (client: pg.PoolClient, drop: () => void) => {
        const { rows, rowCount } = await (isImplied && mayBePrepared
          ? this.#queryAtOnce<Row>(client, settingsOf(caller, request), statement, drop)
          : inTransaction(
              client,
              callersFrame(client, request, aheadOf(caller, request, mayBePrepared), drop),
              () => client.query<Row>(statement),
            ));
        return { rows, rowCount: rowCount ?? 0 };
      };
      return this.#withCallersClient(caller, request, run, isImplied && mayBePrepared);
    });
  }

  /** In one round trip. */
  async #queryAtOnce<Row extends object>(
    client: pg.PoolClient,
    settings: PreparedSettings,
    statement: pg.QueryConfig,
    drop: () => void,
  ): Promise<pg.QueryResult<Row>> {
    const { stream } = client.connection;
    // Held back until all are written, so that they leave in one system call.
    stream.cork();
    const answered = inImpliedTransaction<Row>(client, settings, statement);
    const forgotten = forgetSession(client, drop);
    stream.uncork();
    await Promise.allSettled([answered, forgotten]);
    return answered;
  }

  /**
   * Runs several statements in one transaction as the caller; an error rolls all of them back.
   * @param work  may be run once more from its beginning
   */
  async asCaller<T>(caller: Caller, request: CallerTransaction, work: (tx: Sql) => Promise<T>): Promise<T> {
    return this.#tried((mayBePrepared) => {
      const ahead = aheadOf(caller, request, mayBePrepared);
      return this.#withCallersClient(caller, request, (client, drop) =>
        inTransaction(client, callersFrame(client, request, ahead, drop), () => work(sqlOf(client))),
      );
    });
  }

  /**
   * Runs several requests of a caller in one transaction, one after the other; an error rolls all of them back.
   * @param begin  how it begins and ends; its settings are those of each request that has no others
   * @param work  may be run once more from its beginning
   */
  async inOneTransaction<T>(
    caller: Caller,
    begin: CallerTransaction,
    work: (requests: CallerStatements) => Promise<T>,
  ): Promise<T> {
    return this.#tried((mayBePrepared) =>
      this.#withCallersClient(caller, begin, (client, drop) => {
        const shared = new SharedTransaction(client, begin, (...of) => aheadOf(...of, mayBePrepared));
        const settled = async () => {
          const result = await work(shared);
          await shared.settled();
          return result;
        };
        return inTransaction(client, callersFrame(client, begin, [], drop), settled);
      }),
    );
  }

  /** Runs `work` in one transaction as the platform itself, above row-level security. */
  async asSystem<T>(work: (tx: SystemTransaction) => Promise<T>): Promise<T> {
    return withClient(this.#system, (client, drop) => {
      const tx = systemTransactionOf(client);
      // What callers' statements set off may be anything.
      const after = async () => (tx.hadCallers() ? forgetSession(client, drop) : undefined);
      return inTransaction(client, { ...plainFrame, after }, () => work(tx));
    });
  }

  /** Runs one statement as the platform itself, outside any transaction. */
  async query<Row extends object = Record<string, unknown>>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<{ rows: Row[]; rowCount: number }> {
    const result = await this.#system.query<Row>(prepared(text, values));
    return { rows: result.rows, rowCount: result.rowCount ?? 0 };
  }

  /** Has callers' connections closed when they come back, since they hold what nobody uses any more. */
  renewCallersConnections(): void {
    this.#renewal += 1;
  }

  /** See {@link bareConnection}. */
  bareConnection(): Promise<Socket> {
    return bareConnection(this.#system.options);
  }

  /** See {@link listen}. */
  listen(channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>> {
    return listen(this.#system.options, channel, onNotify);
  }

  async close(): Promise<void> {
    this.#places.close();
    await Promise.all([this.#callers.end(), this.#system.end()]);
  }

  /**
   * Runs a transaction, and once more with nothing prepared when its connection had lost our statements: other connections
   * may have lost theirs, too, and so may this one within the transaction.
   */
  #tried<T>(transaction: (mayBePrepared: boolean) => Promise<T>): Promise<T> {
    return transaction(true).catch((error: unknown) => {
      // Nothing has been done.
      if (isForgottenStatement(error)) return transaction(false);
      throw error;
    });
  }

  /** Whoever asks without being a person shares their role's turns. */
  async #withCallersClient<T>(
    { userId, role }: Caller,
    { abandonment, readOnly }: CallerTransaction,
    work: (client: pg.PoolClient, drop: () => void) => Promise<T>,
    isImplied = false,
  ): Promise<T> {
    const giveBack = await this.#places.take(userId ?? role, abandonment);
    try {
      return await withClient(this.#callers, async (client, drop) => {
        if (this.#renewals.get(client) !== this.#renewal) drop();
        // A new connection took its time.
        if (abandonment?.hasHappened) throw clientGone();
        const settle =
          abandonment && readOnly
            ? cancelAbandoned(client, this.#system, abandonment, { mayBegin: isImplied })
            : undefined;
        try {
          return await work(client, drop);
        } catch (error) {
          throw settle && abandonment?.hasHappened ? clientGone() : error;
        } finally {
          await settle?.();
        }
      });
    } finally {
      giveBack();
    }
  }
}

/** What the database is told of who asks, for the rest of the transaction. */
function requestSettings(caller: Caller, request: RequestSettings): [name: string, value: string][] {
  return [
    ['request.jwt.claims', JSON.stringify(caller.claims)],
    ['galley.request_id', request.requestId ?? ''],
    ['galley.depth', String(caller.depth)],
    // Of everybody else the request is its own root.
    ...(caller.kind === 'function' ? rootSetting(caller, request.requestId ?? '') : []),
    ...Object.entries(request.settings ?? {}),
  ];
}

function rootSetting(caller: Caller, requestId: string): [name: string, value: string][] {
  return [['galley.root', rootOf(caller, requestId)]];
}

function beginOf({ isolation, readOnly }: CallerTransaction): string {
  return `begin${isolation ? ` isolation level ${isolation}` : ''}${readOnly ? ' read only' : ''}`;
}

/** PostgreSQL has no other way to say how a transaction begins, or that it is to be undone. */
function mayBeImplied({ isolation, first, undo }: CallerTransaction): boolean {
  return isolation === undefined && first === undefined && undo !== true;
}

function endOf({ undo }: CallerTransaction): string[] {
  return undo ? ['set constraints all immediate', 'rollback'] : ['commit'];
}

function callersFrame(
  client: pg.PoolClient,
  request: CallerTransaction,
  ahead: readonly Ahead[],
  drop: () => void,
): Frame {
  return {
    begin: beginOf(request),
    ahead,
    end: endOf(request),
    after: () => forgetSession(client, drop),
  };
}

function aheadOf(caller: Caller, request: CallerTransaction, mayBePrepared: boolean): Ahead[] {
  const { name, ...unprepared } = settingsOf(caller, request);
  const settings = mayBePrepared ? { name, ...unprepared } : unprepared;
  return request.first === undefined ? [settings] : [settings, { text: request.first }];
}

/** Takes the caller's role, on a connection that may take no others than callers have. */
function settingsOf(caller: Caller, request: CallerTransaction): PreparedSettings {
  const before = Object.entries(request.beforeRole ?? {});
  return settingsStatement([
    ...(request.readOnly ? [readOnlySetting] : []),
    ...before,
    ['role', caller.role],
    ...requestSettings(caller, request),
  ]);
}

const readOnlySetting: [name: string, value: string] = ['transaction_read_only', 'on'];

function settingsStatement(settings: readonly [name: string, value: string][]): PreparedSettings {
  const calls = settings.map((_, i) => `set_config($${i * 2 + 1}, $${i * 2 + 2}, true)`);
  return {
    // Names of prepared statements end at 63 bytes (NAMEDATALEN); the text depends on the count alone.
    name: `settings_${settings.length}`,
    // One number instead of all their values, which nobody reads.
    text: `select pg_catalog.num_nulls(array[${calls.join(', ')}])`,
    values: settings.flat(),
  };
}

const takeRole = 'select galley.take_role($1)';

function systemTransactionOf(client: pg.PoolClient): SystemTransaction & { hadCallers(): boolean } {
  const tx = sqlOf(client, true);
  let hadCallers = false;
  return {
    query: tx.query,
    hadCallers: () => hadCallers,
    async asCaller(caller, request, work) {
      hadCallers = true;
      const ahead = [settingsStatement(requestSettings(caller, request)), prepared(takeRole, [caller.role])];
      const result = await sentAhead(client, ahead, () => work(tx));
      // Not waited for: should it fail, PostgreSQL refuses all that follows.
      client.query('reset role').catch(() => {});
      return result;
    },
  };
}

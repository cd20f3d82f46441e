import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import {
  backoffMs,
  isRefusedData,
  LOGGER,
  newId,
  PlatformDatabase,
  type Logger,
  type Sql,
} from '#libs/platform';
import { BackgroundUsageSums, type BackgroundUsage } from './background-usage.js';
import { hourText, periodOf } from './hours.js';
import { insertInvocations, type InvocationRecord } from './invocation-record.js';
import { usageLimits as limits } from './limits.js';
import { ProjectCounts, type Meter, type RequestUsage } from './project-counts.js';

/**
 * Collects what is counted often, and writes it in batches: HTTP invocations, background usage, requests, rows, events.
 * A crash loses what was counted within the last `limits.flushMs`, and the requests that were not answered yet; event
 * invocations are written with their delivery, and not lost at all.
 */
@Injectable()
export class UsageLedger implements OnApplicationShutdown {
  #invocations: InvocationRecord[] = [];
  #counts = new ProjectCounts();
  #background = new BackgroundUsageSums();
  /** Is being written, or was not heard of when it was. */
  #batch: Batch | undefined;
  #batches = 0;
  readonly #writer = newId();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** In a row. */
  #failures = 0;
  /** Invocation records that there was no room for, since the database takes none. */
  #dropped = 0;
  /** Who is known to be active, and need not be written again. */
  readonly #seenUsers = new Set<string>();

  constructor(
    private readonly database: PlatformDatabase,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  addInvocation(record: InvocationRecord): void {
    if (this.#invocations.length >= limits.heldRecords) {
      this.#invocations.shift();
      this.#dropped += 1;
    }
    this.#invocations.push(record);
    this.#schedule();
  }

  addRequest(projectRef: string, service: string, at: Date, usage: RequestUsage): void {
    this.#counts.addRequest(projectRef, hourText(at), service, usage);
    this.#schedule();
  }

  addMeter(projectRef: string, meter: Meter, amount: number, at: Date): void {
    if (amount === 0) return;
    this.#counts.addMeter(projectRef, hourText(at), meter, amount);
    this.#schedule();
  }

  /** Somebody signed in, or went on with a session. */
  addActiveUser(projectRef: string, userId: string, at: Date): void {
    const month = periodOf('month', at).from.toISOString().slice(0, 10);
    const key = `${projectRef}\0${month}\0${userId}`;
    if (this.#seenUsers.has(key)) return;
    if (this.#seenUsers.size >= limits.seenUsers) this.#seenUsers.clear();
    this.#seenUsers.add(key);
    this.#counts.addActiveUser(projectRef, month, userId);
    this.#schedule();
  }

  addBackground(usage: BackgroundUsage, at: Date): void {
    this.#background.add(usage, hourText(at));
    this.#schedule();
  }

  /** Writes all that is held; returns when it is committed, or kept for the next time because the database failed. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
  }

  #schedule(inMs: number = limits.flushMs): void {
    this.#timer ??= setTimeout(() => void this.flush(), inMs).unref();
  }

  /** Not one by one: while the database takes nothing that may be thousands. */
  #tellDropped(): void {
    if (this.#dropped === 0) return;
    const line = { dropped: this.#dropped, maxHeldRecords: limits.heldRecords };
    this.logger.error(line, 'Dropped invocation records: the platform database does not take them');
    this.#dropped = 0;
  }

  async #write(): Promise<void> {
    this.#tellDropped();
    try {
      if (this.#batch) await this.#writeBatch(this.#batch);
      this.#batch = this.#take();
      if (this.#batch) await this.#writeBatch(this.#batch);
      this.#batch = undefined;
      this.#failures = 0;
    } catch (error) {
      this.logger.warn({ err: error }, 'Usage could not be written; trying again');
      this.#schedule(Math.max(limits.flushMs, backoffMs(this.#failures++)));
    }
  }

  #take(): Batch | undefined {
    const batch = { invocations: this.#invocations, counts: this.#counts, background: this.#background };
    if (batch.invocations.length === 0 && batch.counts.isEmpty && batch.background.isEmpty) return undefined;
    this.#invocations = [];
    this.#counts = new ProjectCounts();
    this.#background = new BackgroundUsageSums();
    return { ...batch, number: (this.#batches += 1) };
  }

  /** What PostgreSQL does not take of one project must not hold up the others: it is found, and left out. */
  async #writeBatch(batch: Batch): Promise<void> {
    try {
      await this.#commit(batch.number, (tx) => writeUsage(tx, batch));
    } catch (error) {
      if (!isRefusedData(error)) throw error;
      await this.#commit(batch.number, (tx) => this.#writeEach(tx, batch));
    }
  }

  async #commit(batch: number, write: (tx: Sql) => Promise<void>): Promise<void> {
    await this.database.transaction(async (tx) => {
      if (await beginBatch(tx, this.#writer, batch)) await write(tx);
    });
  }

  async #writeEach(tx: Sql, { invocations, counts, background }: Batch): Promise<void> {
    const own = invocations.map(({ projectRef }) => projectRef);
    for (const ref of new Set([...own, ...counts.projects, ...background.projects])) {
      const usage = {
        invocations: invocations.filter(({ projectRef }) => projectRef === ref),
        counts: counts.of(ref),
        background: background.of(ref),
      };
      await tx.query('savepoint project');
      try {
        await writeUsage(tx, usage);
        await tx.query('release project');
      } catch (error) {
        if (!isRefusedData(error)) throw error;
        await tx.query('rollback to project');
        const line = { err: error, project: ref, invocations: usage.invocations.length };
        this.logger.error(line, 'Dropped usage of a project: the platform database refuses it');
      }
    }
  }
}

async function writeUsage(tx: Sql, { invocations, counts, background }: Usage): Promise<void> {
  await insertInvocations(tx, invocations);
  await background.write(tx);
  await counts.write(tx);
}

interface Usage {
  readonly invocations: readonly InvocationRecord[];
  readonly counts: ProjectCounts;
  readonly background: BackgroundUsageSums;
}

/** What is written together. It stays as it is until it is known to be written. */
interface Batch extends Usage {
  readonly number: number;
}

/** @returns false when the batch was committed before, although we did not hear of it */
async function beginBatch(sql: Sql, writer: string, batch: number): Promise<boolean> {
  if (batch === 1) await sql.query(`delete from usage_writers where at < now() - interval '1 day'`);
  const { rowCount } = await sql.query(
    `insert into usage_writers (writer, batch) values ($1, $2)
     on conflict (writer) do update set batch = excluded.batch, at = now() where usage_writers.batch < excluded.batch`,
    [writer, batch],
  );
  return rowCount === 1;
}

import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LOGGER, PlatformDatabase, type Logger } from '#libs/platform';
import { BackgroundUsageSums, type BackgroundUsage } from './background-usage.js';
import { insertInvocations, type InvocationRecord } from './invocation-record.js';

/** A crash loses at most this much of what is counted here (event invocations are written with their delivery). */
const flushIntervalMs = 250;
/** Records held while the database does not answer; beyond it the oldest are dropped, and that is logged. */
const maxHeldRecords = 50_000;

/** Collects what is counted often, and writes it in batches: HTTP invocations, background usage and requests. */
@Injectable()
export class UsageLedger implements OnApplicationShutdown {
  #invocations: InvocationRecord[] = [];
  /** `project ref, hour, service` → requests since the last write. */
  #requests = new Map<string, number>();
  #background = new BackgroundUsageSums();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: PlatformDatabase,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  addInvocation(record: InvocationRecord): void {
    if (this.#invocations.length >= maxHeldRecords) {
      this.#invocations.shift();
      this.logger.error(
        { maxHeldRecords },
        'Dropped an invocation record: the platform database does not take them',
      );
    }
    this.#invocations.push(record);
    this.#schedule();
  }

  addRequest(projectRef: string, service: string, at: Date): void {
    const key = `${projectRef}\0${hourOf(at)}\0${service}`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    this.#schedule();
  }

  addBackground(usage: BackgroundUsage, at: Date): void {
    this.#background.add(usage, hourOf(at));
    this.#schedule();
  }

  /** Writes all that is held; returns when it is committed, or put back because the database failed. */
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

  #schedule(): void {
    this.#timer ??= setTimeout(() => void this.flush(), flushIntervalMs).unref();
  }

  async #write(): Promise<void> {
    const invocations = this.#invocations.splice(0);
    const requests = this.#requests;
    this.#requests = new Map();
    const background = this.#background;
    this.#background = new BackgroundUsageSums();
    if (invocations.length === 0 && requests.size === 0 && background.isEmpty) return;
    try {
      await this.database.transaction(async (tx) => {
        await insertInvocations(tx, invocations);
        await background.write(tx);
        if (requests.size > 0) await tx.query(addRequestCounts, columnsOf(requests));
      });
    } catch (error) {
      this.logger.warn({ err: error }, 'Usage could not be written; trying again');
      this.#invocations = [...invocations, ...this.#invocations].slice(-maxHeldRecords);
      for (const [key, count] of requests) this.#requests.set(key, (this.#requests.get(key) ?? 0) + count);
      this.#background.addAll(background);
      this.#schedule();
    }
  }
}

const hourMs = 3_600_000;
let lastHour = { startsMs: 0, text: '' };

/** The beginning of the hour; every request asks for it, and it is nearly always the last one's. */
function hourOf(at: Date): string {
  const startsMs = Math.floor(at.getTime() / hourMs) * hourMs;
  if (lastHour.startsMs !== startsMs) lastHour = { startsMs, text: new Date(startsMs).toISOString() };
  return lastHour.text;
}

const addRequestCounts = `
  insert into request_counts (project_ref, hour, service, count)
  select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::bigint[])
  on conflict (project_ref, hour, service) do update set count = request_counts.count + excluded.count`;

function columnsOf(requests: ReadonlyMap<string, number>): unknown[] {
  const keys = [...requests.keys()].map((key) => key.split('\0'));
  return [...[0, 1, 2].map((i) => keys.map((key) => key[i])), [...requests.values()]];
}

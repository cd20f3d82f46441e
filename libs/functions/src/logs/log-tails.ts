import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { AppError, LOGGER, PlatformDatabase, type Logger } from '#libs/platform';
import { Readable } from 'node:stream';
import { limits } from '../limits.js';
import type { LogFilter } from './log-filter.js';
import {
  countLines,
  lastPosition,
  linesOfStretch,
  logsChannel,
  type WrittenLogLine,
} from './log-lines.sql.js';
import { searchLogs } from './search-logs.js';
import { Wake } from './wake.js';

/** Where a tail begins: after a position, or with the newest lines that there are. */
export type TailStart = { readonly after: string } | { readonly newest: number };

/** What a tail reads at once, and how far it has read then. */
interface TailPage {
  readonly lines: readonly WrittenLogLine[];
  readonly upTo: string;
  /** Lines before these that the reader was too slow for. */
  readonly skipped: number;
}

interface Tail {
  readonly filter: LogFilter;
  readonly wake: Wake;
}

/**
 * Lines as they are written, by any process: each tail is a place in the table of logs, which it reads on from when a
 * writer tells of new lines and its reader has taken the last ones. So nothing is held for slow readers, and a tail
 * that broke off goes on where it was, through any server. While there is no tail, nothing listens.
 */
@Injectable()
export class LogTails implements BeforeApplicationShutdown {
  readonly #tails = new Set<Tail>();
  #listening: Promise<() => Promise<void>> | undefined;
  #closed = false;

  constructor(
    private readonly database: PlatformDatabase,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Server-sent events (WHATWG HTML §9.2): `render(line)` for each line, with its position as id; `skipped` when the
   * reader is too slow; a comment now and then.
   * @throws AppError `too_many_tails` (429)
   */
  async open(
    filter: LogFilter,
    start: TailStart,
    render: (line: WrittenLogLine) => unknown,
  ): Promise<Readable> {
    if (this.#closed || this.#tails.size >= limits.logTails) throw tooManyTails();
    const tail: Tail = { filter, wake: new Wake() };
    this.#tails.add(tail);
    try {
      // Before the first look, so that nothing is written unnoticed in between.
      await (this.#listening ??= this.#listen());
      const first = await this.#begin(filter, start);
      return this.#stream(tail, this.#events(tail, first, render));
    } catch (error) {
      this.#end(tail);
      throw error;
    }
  }

  /** Readers come back by themselves, to a server that goes on. */
  async beforeApplicationShutdown(): Promise<void> {
    this.#closed = true;
    for (const tail of this.#tails) this.#end(tail);
    await this.#stopListening();
  }

  /** Not by `Readable.from`, which lets a generator that sleeps sleep on when its reader has gone. */
  #stream(tail: Tail, events: AsyncGenerator<string>): Readable {
    return new Readable({
      highWaterMark: 1,
      read() {
        void events.next().then(({ value, done }) => this.push(done ? null : value));
      },
      destroy: (error, done) => {
        this.#end(tail);
        done(error);
      },
    });
  }

  async *#events(
    tail: Tail,
    first: TailPage,
    render: (line: WrittenLogLine) => unknown,
  ): AsyncGenerator<string> {
    yield `retry: 1000\n${this.#render(first, render)}`;
    let position = first.upTo;
    try {
      while (!tail.wake.isEnded) {
        const page = await this.#next(tail.filter, position);
        const isNews = page.lines.length > 0 || page.skipped > 0;
        position = page.upTo;
        if (isNews) yield this.#render(page, render);
        else if (!(await tail.wake.next(limits.eventStreamKeepAliveMs)))
          yield `: still here\nid: ${position}\n\n`;
      }
    } catch (error) {
      // Its reader comes back and goes on from the last line that it had.
      this.logger.warn({ err: error }, 'A tail of function logs broke off');
    }
  }

  async #begin(filter: LogFilter, start: TailStart): Promise<TailPage> {
    if ('after' in start) return { lines: [], upTo: start.after, skipped: 0 };
    const upTo = await lastPosition(this.database);
    if (start.newest === 0) return { lines: [], upTo, skipped: 0 };
    const lines = await searchLogs(this.database, filter, { order: 'desc', limit: start.newest });
    const known = lines.filter((line) => BigInt(line.position) <= BigInt(upTo));
    return { lines: known.toReversed(), upTo, skipped: 0 };
  }

  async #next(filter: LogFilter, after: string): Promise<TailPage> {
    const last = await lastPosition(this.database);
    if (BigInt(last) <= BigInt(after)) return { lines: [], upTo: after, skipped: 0 };
    const stretch = { after, upTo: last };
    const limit = limits.tailPageLines;
    const lines = await linesOfStretch(this.database, filter, stretch, { end: 'first', limit });
    if (lines.length < limit) return { lines, upTo: last, skipped: 0 };
    const count = await countLines(this.database, filter, stretch);
    if (count <= limits.tailLagLines) return { lines, upTo: lines.at(-1)!.position, skipped: 0 };
    const newest = await linesOfStretch(this.database, filter, stretch, { end: 'last', limit });
    return { lines: newest, upTo: last, skipped: count - newest.length };
  }

  #render({ lines, upTo, skipped }: TailPage, render: (line: WrittenLogLine) => unknown): string {
    const notice = skipped > 0 ? `event: skipped\ndata: ${JSON.stringify({ lines: skipped })}\n\n` : '';
    const events = lines.map((line) => `id: ${line.position}\ndata: ${JSON.stringify(render(line))}\n\n`);
    // An event without data only tells where to go on from.
    return `${notice}${events.join('')}id: ${upTo}\n\n`;
  }

  #listen(): Promise<() => Promise<void>> {
    return this.database.listen(logsChannel, (writers) => {
      const wrote = new Set(writers.split('\n'));
      for (const { filter, wake } of this.#tails) {
        const { projectRef, functionSlug } = filter;
        const concerns =
          functionSlug === undefined
            ? writers.includes(`${projectRef}/`)
            : wrote.has(`${projectRef}/${functionSlug}`);
        if (writers === '' || concerns) wake.up();
      }
    });
  }

  #end(tail: Tail): void {
    tail.wake.end();
    this.#tails.delete(tail);
    if (this.#tails.size === 0) void this.#stopListening();
  }

  async #stopListening(): Promise<void> {
    const listening = this.#listening;
    this.#listening = undefined;
    const stop = await listening?.catch(() => undefined);
    await stop?.();
  }
}

function tooManyTails(): AppError {
  return new AppError({
    code: 'too_many_tails',
    status: 429,
    message: `More than ${limits.logTails} live tails of logs at once`,
    headers: { 'Retry-After': '1' },
  });
}

import { Inject, Injectable } from '@nestjs/common';
import { backoffMs, LOGGER, newId, PlatformDatabase, type Logger } from '#libs/platform';
import { limits } from '../limits.js';
import { insertLines, type NewLogLine } from './log-lines.sql.js';
import { SourceMaps } from './source-maps.js';

export type FunctionLogLine = Omit<NewLogLine, 'id'>;

/** Its message is a promise while the source map that its stack needs is read. */
type HeldLine = Omit<NewLogLine, 'message'> & { message: string | Promise<string> };

/**
 * What functions wrote, and what the platform says of them: collected from their instances and written in batches, in
 * the order of its coming. Their errors are in the server's own log too.
 */
@Injectable()
export class FunctionLogs {
  #held: HeldLine[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** In a row. */
  #failures = 0;
  /** Lines that there was no room for and nobody was told of. */
  #dropped = 0;

  constructor(
    private readonly database: PlatformDatabase,
    private readonly sourceMaps: SourceMaps,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  add(line: FunctionLogLine): void {
    if (this.#held.length >= limits.heldLogLines) {
      this.#held.shift();
      this.#dropped += 1;
    }
    const message = this.sourceMaps.translate(line.deploymentId, line.message);
    this.#held.push({ id: newId(), ...line, message });
    if (typeof message === 'string') this.#tell(line, message);
    else void message.then((translated) => this.#tell(line, translated));
    this.#timer ??= setTimeout(() => void this.flush(), limits.logFlushMs).unref();
  }

  /** Writes all lines that are held; returns when they are committed, or put back because the database failed. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  #tell({ functionSlug, invocationId, level }: FunctionLogLine, message: string): void {
    const own = { function: functionSlug, ...(invocationId && { invocationId }) };
    if (level === 'error') this.logger.warn(own, message);
    else this.logger.debug(own, message);
  }

  async #write(): Promise<void> {
    while (this.#held.length > 0) {
      const held = this.#held.splice(0, limits.logBatchLines);
      const batch = await Promise.all(held.map(async (line) => ({ ...line, message: await line.message })));
      try {
        await insertLines(this.database, batch);
        this.#failures = 0;
        this.#tellDropped();
      } catch (error) {
        this.logger.warn(
          { err: error, lines: batch.length },
          'Function logs could not be written; trying again',
        );
        this.#held = [...batch, ...this.#held].slice(-limits.heldLogLines);
        this.#tellDropped();
        const waitMs = Math.max(limits.logFlushMs, backoffMs(this.#failures++));
        this.#timer ??= setTimeout(() => void this.flush(), waitMs).unref();
        return;
      }
    }
  }

  /** Not one by one: while the database takes nothing a function may write thousands. */
  #tellDropped(): void {
    if (this.#dropped === 0) return;
    const line = { dropped: this.#dropped, held: limits.heldLogLines };
    this.logger.error(line, 'Dropped function log lines: the database does not take them');
    this.#dropped = 0;
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, newId, PlatformDatabase, type Logger } from '#libs/platform';
import { limits } from '../limits.js';

export interface FunctionLogLine {
  readonly projectRef: string;
  readonly functionSlug: string;
  readonly deploymentId: string;
  readonly invocationId: string | null;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly at: Date;
}

export interface LogQuery {
  readonly invocationId?: string | undefined;
  readonly level?: string | undefined;
  readonly limit: number;
}

/**
 * What functions wrote: collected from their instances, written in batches, read newest first. Their errors are in
 * the server's own log too.
 */
@Injectable()
export class FunctionLogs {
  #held: (FunctionLogLine & { id: string })[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: PlatformDatabase,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  add(line: FunctionLogLine): void {
    if (this.#held.length >= limits.heldLogLines) {
      this.#held.shift();
      this.logger.error(
        { held: limits.heldLogLines },
        'Dropped a function log line: the database does not take them',
      );
    }
    this.#held.push({ id: newId(), ...line });
    const { functionSlug, invocationId, level, message } = line;
    const own = { function: functionSlug, ...(invocationId && { invocationId }) };
    if (level === 'error') this.logger.warn(own, message);
    else this.logger.debug(own, message);
    this.#timer ??= setTimeout(() => void this.flush(), limits.logFlushMs).unref();
  }

  /** Writes all lines that are held; returns when they are committed, or put back because the database failed. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  async list(projectRef: string, slug: string, query: LogQuery) {
    await this.flush();
    const { invocationId, level, limit } = query;
    const lines = await this.database.prisma.functionLog.findMany({
      where: {
        projectRef,
        functionSlug: slug,
        ...(invocationId && { invocationId }),
        ...(level && { level }),
      },
      orderBy: [{ at: 'desc' }, { id: 'desc' }],
      take: limit,
    });
    return lines.map((line) => ({
      id: line.id,
      deployment_id: line.deploymentId,
      invocation_id: line.invocationId,
      level: line.level,
      message: line.message,
      at: line.at,
    }));
  }

  async #write(): Promise<void> {
    while (this.#held.length > 0) {
      const batch = this.#held.splice(0, limits.logBatchLines);
      try {
        await this.database.query(insertLines, columnsOf(batch));
      } catch (error) {
        this.logger.warn(
          { err: error, lines: batch.length },
          'Function logs could not be written; trying again',
        );
        this.#held = [...batch, ...this.#held].slice(-limits.heldLogLines);
        this.#timer ??= setTimeout(() => void this.flush(), limits.logFlushMs).unref();
        return;
      }
    }
  }
}

const insertLines = `
  insert into function_logs (id, project_ref, function_slug, deployment_id, invocation_id, level, message, at)
  select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[],
                       $8::timestamptz[])
  on conflict (id) do nothing`;

function columnsOf(lines: readonly (FunctionLogLine & { id: string })[]): unknown[] {
  return [
    lines.map((line) => line.id),
    lines.map((line) => line.projectRef),
    lines.map((line) => line.functionSlug),
    lines.map((line) => line.deploymentId),
    lines.map((line) => line.invocationId),
    lines.map((line) => line.level),
    lines.map((line) => line.message),
    lines.map((line) => line.at),
  ];
}

import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError, LOGGER, newId, PlatformDatabase, type Logger, type Sql } from '#libs/platform';
import { limits } from '../limits.js';
import {
  deleteOldBuilds,
  endBuild,
  failSilentBuilds,
  findBuild,
  insertBuild,
  insertBuildLines,
  keepBuildAlive,
  listBuildLines,
  listBuilds,
  type BuildLine,
  type BuildSummary,
} from './builds.sql.js';

/** Told of a build as it goes. */
export interface BuildObserver {
  onStart?(buildId: string): void;
  onLine?(line: BuildLine): void;
}

/** A build under way, to who does it. */
export interface Build {
  readonly id: string;
  log(message: string): void;
  /**
   * To be called in the transaction that records what was built: both are there, or neither.
   * @throws AppError `build_abandoned` (503) when others have given this build up for dead meanwhile
   */
  succeed(tx: Sql, deploymentNumber: number): Promise<void>;
}

const silent = 'The server that built it ended before the build did. Nothing was deployed; deploy again.';

/**
 * Records of builds, with what they told. A build whose process died is ended by whoever looks next: a process that
 * builds says every few seconds that it is there.
 */
@Injectable()
export class Builds implements OnModuleInit {
  constructor(
    private readonly database: PlatformDatabase,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** What processes left that were killed. */
  async onModuleInit(): Promise<void> {
    await this.endSilent();
  }

  /** Does `work` as a build of the function. What it throws is the build's error, and thrown on. */
  async run<T>(
    projectRef: string,
    slug: string,
    observer: BuildObserver,
    work: (build: Build) => Promise<T>,
  ): Promise<T> {
    const id = newId();
    await insertBuild(this.database, id, projectRef, slug);
    observer.onStart?.(id);
    const log = new BuildLog(this.database, id, observer, this.logger);
    const alive = setInterval(() => void this.#keepAlive(id), limits.buildAliveEveryMs).unref();
    const succeed = async (tx: Sql, deploymentNumber: number) => {
      if (await endBuild(tx, id, { status: 'succeeded', deploymentNumber })) return;
      throw new AppError({ code: 'build_abandoned', status: 503, message: silent });
    };
    try {
      return await work({ id, log: (message) => log.add(message), succeed });
    } catch (error) {
      const message = error instanceof AppError ? error.message : 'Internal error';
      await log.written();
      await endBuild(this.database, id, { status: 'failed', error: message }).catch((problem: unknown) =>
        this.logger.warn({ err: problem, build: id }, 'A build could not be recorded as failed'),
      );
      throw error;
    } finally {
      clearInterval(alive);
      await log.written();
      await deleteOldBuilds(this.database, projectRef, slug, limits.keptBuilds).catch(() => {});
    }
  }

  /** The newest first. */
  async list(projectRef: string, slug: string): Promise<BuildSummary[]> {
    await this.endSilent();
    return listBuilds(this.database, projectRef, slug, limits.keptBuilds);
  }

  /** @throws AppError `not_found` (404) */
  async find(projectRef: string, slug: string, id: string): Promise<BuildSummary> {
    await this.endSilent();
    const found = await findBuild(this.database, projectRef, slug, id);
    if (found) return found;
    throw new AppError({ code: 'not_found', status: 404, message: `Function ${slug} has no build ${id}` });
  }

  /** The lines after number `after`, in order. */
  lines(buildId: string, after: number): Promise<BuildLine[]> {
    return listBuildLines(this.database, buildId, after);
  }

  /** Ends the builds whose processes are gone. */
  async endSilent(): Promise<void> {
    await failSilentBuilds(this.database, limits.buildSilenceMs, silent);
  }

  async #keepAlive(id: string): Promise<void> {
    await keepBuildAlive(this.database, id).catch((error: unknown) =>
      this.logger.warn({ err: error, build: id }, 'A build could not say that it goes on'),
    );
  }
}

/** Numbers a build's lines and writes them one after the other; the build does not wait for that. */
class BuildLog {
  #count = 0;
  #pending: BuildLine[] = [];
  #writing: Promise<void> | undefined;

  constructor(
    private readonly database: PlatformDatabase,
    private readonly buildId: string,
    private readonly observer: BuildObserver,
    private readonly logger: Logger,
  ) {}

  /** A message of several lines is as many lines. Beyond `limits.buildLogLines` nothing is added. */
  add(message: string): void {
    // PostgreSQL takes no zero bytes.
    for (const text of message.replaceAll('\0', '').split('\n')) {
      if (this.#count >= limits.buildLogLines) return;
      this.#count += 1;
      const isLast = this.#count === limits.buildLogLines;
      const line: BuildLine = {
        number: this.#count,
        message: isLast ? 'More was told than is kept.' : text.slice(0, limits.buildLogLineChars),
        at: new Date(),
      };
      this.#pending.push(line);
      this.observer.onLine?.(line);
    }
    this.#writing ??= this.#write();
  }

  async written(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        await insertBuildLines(this.database, this.buildId, this.#pending.splice(0));
      }
    } catch (error) {
      this.logger.warn({ err: error, build: this.buildId }, 'Lines of a build could not be written');
    } finally {
      this.#writing = undefined;
    }
  }
}

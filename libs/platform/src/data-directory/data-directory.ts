import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../errors/app-error.js';

/** The one directory of the embedded size, held by one process at a time. */
export class DataDirectory {
  private constructor(readonly path: string) {}

  /**
   * Makes the directory where it is missing and takes its lock.
   * @throws OperatorError when another living process holds it, or it cannot be written.
   */
  static async acquire(path: string): Promise<DataDirectory> {
    const directory = new DataDirectory(path);
    const onExit = () => rmSync(directory.#lockPath, { force: true });
    try {
      // Others may pass through (PostgreSQL runs as another user when we are root); every file in it is 0600.
      await mkdir(path, { recursive: true, mode: 0o711 });
      await directory.#lock();
      process.once('exit', onExit);
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      throw new OperatorError(
        `The data directory ${path} cannot be used: ${(error as Error).message}. ` +
          'Make it writable, or set GALLEY_DATA_DIR to another place.',
        { cause: error },
      );
    }
    return directory;
  }

  get #lockPath(): string {
    return join(this.path, 'galley.pid');
  }

  async #lock(): Promise<void> {
    const own = `${process.pid} ${startTimeOf(process.pid) ?? ''}\n`;
    for (;;) {
      try {
        await writeFile(this.#lockPath, own, { flag: 'wx', mode: 0o600 });
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const [pid, startTime] = (await readFile(this.#lockPath, 'utf8')).trim().split(' ');
      if (isAlive(Number(pid), startTime)) {
        throw new OperatorError(
          `The data directory ${this.path} is in use by process ${pid}. Stop that one, or set GALLEY_DATA_DIR to another place.`,
        );
      }
      await rm(this.#lockPath, { force: true });
    }
  }

  /** The key that seals secrets at rest: 32 bytes, made at first use. */
  async masterKey(): Promise<Buffer> {
    const path = join(this.path, 'master.key');
    const existing = await readFile(path, 'utf8').catch(() => undefined);
    if (existing !== undefined) {
      const key = Buffer.from(existing.trim(), 'base64');
      if (key.length === 32) return key;
      throw new OperatorError(
        `${path} is damaged: it must hold 32 bytes in base64. Restore it from a backup.`,
      );
    }
    const key = randomBytes(32);
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(`${key.toString('base64')}\n`);
    await file.sync();
    await file.close();
    return key;
  }

  async release(): Promise<void> {
    await rm(this.#lockPath, { force: true });
  }
}

/** A process id alone may have been given to another process since; its start time tells (proc(5), field 22). */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function isAlive(pid: number, startTime: string | undefined): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const current = startTimeOf(pid);
  return current === undefined || startTime === undefined || startTime === '' || current === startTime;
}

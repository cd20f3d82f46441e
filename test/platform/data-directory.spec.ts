import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataDirectory } from '#libs/platform';

describe('the data directory', () => {
  let path: string;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'galley-data-'));
  });
  afterEach(() => rm(path, { recursive: true, force: true }));

  it('belongs to one process at a time, and says which', async () => {
    const held = await DataDirectory.acquire(path);
    await expect(DataDirectory.acquire(path)).rejects.toThrow(
      `The data directory ${path} is in use by process ${process.pid}. Stop that one, or set GALLEY_DATA_DIR to another place.`,
    );
    await held.release();
    await (await DataDirectory.acquire(path)).release();
  });

  it('is taken over from a process that was killed', async () => {
    const dead = spawn('true');
    await new Promise((resolve) => dead.once('exit', resolve));
    await writeFile(join(path, 'galley.pid'), `${dead.pid} 1\n`);
    await (await DataDirectory.acquire(path)).release();
  });

  it('is taken over when the process id was given to another program since', async () => {
    await writeFile(join(path, 'galley.pid'), `${process.pid} 1\n`);
    await (await DataDirectory.acquire(path)).release();
  });

  it('keeps one master key that only its owner can read', async () => {
    const directory = await DataDirectory.acquire(path);
    const key = await directory.masterKey();
    expect(key).toHaveLength(32);
    expect((await directory.masterKey()).equals(key)).toBe(true);
    expect((await stat(join(path, 'master.key'))).mode & 0o777).toBe(0o600);
    await writeFile(join(path, 'master.key'), 'x');
    await expect(directory.masterKey()).rejects.toThrow('is damaged');
    expect(await readFile(join(path, 'master.key'), 'utf8')).toBe('x');
  });
});

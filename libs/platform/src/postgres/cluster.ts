import { spawn } from 'node:child_process';
import { chown, open, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inheritedEnvironment } from '../config/env.js';
import { OperatorError } from '../errors/app-error.js';
import type { Binaries } from './binaries.js';
import { commandOf, type Unprivileged } from './unprivileged-user.js';

/** Makes a new cluster in `cluster`, whose superuser `postgres` logs in with `password`. */
export async function initCluster(options: {
  binaries: Binaries;
  cluster: string;
  password: string;
  as: Unprivileged;
  logPath: string;
}): Promise<void> {
  const { binaries, cluster, password, as } = options;
  // initdb makes the directory itself only when it is missing or empty.
  for (const entry of await readdir(cluster)) await rm(join(cluster, entry), { recursive: true });
  const passwordFile = join(dirname(cluster), 'initdb.password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (as.owner !== undefined) await chown(passwordFile, as.owner, as.owner);
  const args = ['-D', cluster, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  try {
    await run(as, binaries.initdb, [...args, '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], options.logPath);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function run(
  as: Unprivileged,
  program: string,
  args: readonly string[],
  logPath: string,
): Promise<void> {
  const log = await open(logPath, 'a', 0o600);
  try {
    const [command, rest] = commandOf(as, program, args);
    const child = spawn(command, rest, {
      cwd: '/',
      env: inheritedEnvironment(),
      stdio: ['ignore', log.fd, log.fd],
      ...(as.uid !== undefined && { uid: as.uid, gid: as.gid }),
    });
    const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
    if (code !== 0)
      throw new OperatorError(`PostgreSQL's initdb failed with status ${code}; its words are in ${logPath}.`);
  } finally {
    await log.close();
  }
}

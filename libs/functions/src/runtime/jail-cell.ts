import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cell } from './cell.js';
import { keepCompiledCode } from './compiled-code.js';
import type { DeploymentDirectory } from './deployment-directory.js';
import { jailPaths, type Jail } from './jail/jailer.js';
import type { RunDirectory } from './run-directory.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** A jail, with a Deno directory in it that begins as a copy of `denoDirectory`. */
export async function jailCell(options: {
  runDirectory: RunDirectory;
  jail: Jail;
  denoDirectory: string;
}): Promise<Cell> {
  const { runDirectory, jail, denoDirectory } = options;
  const record = runDirectory.createInstanceDirectory(null);
  let pid: number | null = null;
  let deployment: DeploymentDirectory | null = null;
  // Whoever made the jail may be gone, whoever lives in it may be gone: each shows it as long as it is there.
  const root = () => (pid === null || jail.isKept() ? jail.path : `/proc/${pid}/root/i`);
  const outside = (path: string) => path.replace(/^\/i(?=\/)/, root());
  const own = join(jailPaths.run, 'deno');
  try {
    await copyFlat(denoDirectory, outside(own), jail.uid);
  } catch (error) {
    jail.remove();
    await record.remove();
    throw error;
  }
  return {
    name: record.name,
    uid: jail.uid,
    paths: {
      loader: jailPaths.loader,
      authorities: jailPaths.authorities,
      codeDirectory: jailPaths.code,
      socket: join(jailPaths.run, 's.sock'),
      nodeSocket: join(jailPaths.run, 'n.sock'),
      denoDirectory: own,
      temporary: '/tmp',
    },
    enter: jail.enter,
    doors: jail.doors,
    datagrams: jail.datagrams,
    onStarted: (started) => {
      pid = started;
      record.recordProcess(pid);
    },
    onReady: () => jail.letGo(),
    outside,
    bringIn: async (arriving) => {
      deployment = arriving;
      await copyReadable(deployment.codeDirectory, outside(jailPaths.code));
    },
    remove: async () => {
      // Without it the next start takes longer, that is all.
      if (deployment && jail.isKept()) {
        await keepCompiledCode(outside(own), deployment).catch(() => {});
      }
      jail.remove();
      await record.remove();
    },
  };
}

/** The files of a directory, given to `uid`. */
async function copyFlat(from: string, to: string, uid: number | null): Promise<void> {
  mkdirSync(to, { mode: 0o700 });
  const files = readdirSync(from, { withFileTypes: true }).filter((entry) => entry.isFile());
  for (const { name } of files) {
    await copyOne(join(from, name), join(to, name));
    if (uid !== null) chownSync(join(to, name), uid, uid);
  }
  if (uid !== null) chownSync(to, uid, uid);
}

/** A tree, for everybody to read and for nobody but us to write. */
async function copyReadable(from: string, to: string): Promise<void> {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      mkdirSync(target, { mode: 0o755 });
      await copyReadable(source, target);
    } else {
      await copyOne(source, target);
      chmodSync(target, 0o644);
    }
  }
}

/** Small files here and now: a trip to the thread pool costs more. */
async function copyOne(from: string, to: string): Promise<void> {
  if (statSync(from).size > limits.largeCodeBytes) await copyFile(from, to);
  else copyFileSync(from, to);
}

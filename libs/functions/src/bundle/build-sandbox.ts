import { execFile } from 'node:child_process';
import { lstat, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '#libs/platform';
import { privileges } from '../runtime/confined-command.js';
import { denoBinary } from '../runtime/deno-binary.js';
import { findHostPrograms } from '../runtime/host-programs.js';
import { bundleLimits as limits } from './bundle-limits.js';

const execute = promisify(execFile);

/**
 * The user that builds run as where the server is root: of the ids that systemd's table leaves unused, 65520–65533,
 * one that lies within the 65536 ids which containers usually map. No function runs as it.
 */
export const buildUid = 65_533;

/**
 * How Deno's tools are started on this host. Nothing of a function is executed while it is built, but its sources are
 * read by a compiler: one that was led astray finds itself without privileges, without the server's files, and bounded.
 */
export interface BuildSandbox {
  /** The user that builds run as, or null when it is the server's own. */
  readonly uid: number | null;
  /** Gives a directory and all in it to that user. */
  handOver(directory: string): Promise<void>;
  /** The command that runs `deno` with `args`. */
  command(args: readonly string[]): [program: string, args: string[]];
}

const known = new Map<string, Promise<BuildSandbox>>();

/** The strongest that works on this host, found out once, by trying. @param cacheDirectory Deno's cache */
export function buildSandbox(cacheDirectory: string): Promise<BuildSandbox> {
  let sandbox = known.get(cacheDirectory);
  if (!sandbox) {
    sandbox = detect(cacheDirectory);
    known.set(cacheDirectory, sandbox);
    sandbox.catch(() => known.delete(cacheDirectory));
  }
  return sandbox;
}

async function detect(cacheDirectory: string): Promise<BuildSandbox> {
  await mkdir(cacheDirectory, { recursive: true });
  const { prlimit, setpriv } = findHostPrograms();
  const sandboxOf = (uid: number | null): BuildSandbox => {
    const prefix = [
      ...(prlimit ? [prlimit, ...resourceLimits(uid !== null)] : []),
      ...(setpriv ? [setpriv, ...privileges(uid)] : []),
    ];
    return newSandbox(uid, prefix);
  };
  if (setpriv && process.getuid?.() === 0) {
    const separate = sandboxOf(buildUid);
    if (await works(separate, cacheDirectory)) return separate;
  }
  const confined = sandboxOf(null);
  return (await works(confined, cacheDirectory)) ? confined : newSandbox(null, []);
}

function newSandbox(uid: number | null, prefix: readonly string[]): BuildSandbox {
  return {
    uid,
    // Root without its capabilities is a user like others: what it is to write must be its own.
    handOver: async (directory) => {
      if (process.getuid?.() === 0) await execute('chown', ['-R', `${uid ?? 0}:${uid ?? 0}`, directory]);
    },
    command: (args) => {
      const [program, ...rest] = [...prefix, denoBinary(), ...args];
      return [program!, rest];
    },
  };
}

/** Whether Deno starts that way, and reaches what it must read and write: its cache and temporary directories. */
async function works(sandbox: BuildSandbox, cacheDirectory: string): Promise<boolean> {
  const scratch = await mkdtemp(join(tmpdir(), 'galley-probe-'));
  try {
    await sandbox.handOver(scratch);
    if ((await lstat(cacheDirectory)).uid !== (sandbox.uid ?? process.getuid?.()))
      await sandbox.handOver(cacheDirectory);
    const write = (directory: string) =>
      `Deno.removeSync(Deno.makeTempFileSync({ dir: ${JSON.stringify(directory)} }));`;
    const code = `${write(scratch)}${write(cacheDirectory)}`;
    const [program, args] = sandbox.command(['eval', '--no-config', '--no-lock', code]);
    const env = { ...inheritedEnvironment(), DENO_DIR: cacheDirectory, DENO_NO_UPDATE_CHECK: '1' };
    await execute(program, args, { cwd: scratch, env, timeout: limits.probeTimeoutMs });
    return true;
  } catch {
    return false;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** V8 reserves 512 MiB of `data` for code before it has allocated anything. */
function resourceLimits(ownUser: boolean): string[] {
  return [
    `--data=${(512 + limits.memoryMegabytes) * 1024 * 1024}`,
    `--fsize=${limits.fileBytes}`,
    `--nofile=${limits.openFiles}`,
    '--core=0',
    // Counted per user, so it would count the server's own threads if they shared one.
    ...(ownUser ? [`--nproc=${limits.threads}`] : []),
  ];
}

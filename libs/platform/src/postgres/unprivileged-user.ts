import { spawnSync } from 'node:child_process';

/** How a program that must not run as root is started. */
export interface Unprivileged {
  /** Given to `spawn`; undefined keeps the current user. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Put before the command. */
  readonly prefix: readonly string[];
  /** Owner of the files that the program works on, as this process sees it. */
  readonly owner: number | undefined;
}

/** `nobody` in every Linux distribution; it owns no files and has no login. */
const nobody = 65_534;

/**
 * Chooses how to run a program below root. An ordinary user runs it as itself. Root runs it as `nobody` when
 * that user can reach `paths`; where it can't (a checkout under /root, say) in a user namespace in which we are
 * `nobody`: outside it is still the owner of the files, but without any of root's capabilities.
 *
 * @returns undefined when we are root and neither way is open on this host.
 */
export function unprivileged(paths: readonly string[]): Unprivileged | undefined {
  if (process.getuid?.() !== 0) return { uid: undefined, gid: undefined, prefix: [], owner: undefined };
  if (paths.every(reachableByNobody)) return { uid: nobody, gid: nobody, prefix: [], owner: nobody };
  const prefix = ['unshare', '--user', `--map-user=${nobody}`, `--map-group=${nobody}`, '--'];
  const [command, ...args] = [...prefix, 'true'];
  if (spawnSync(command!, args).status === 0) return { uid: undefined, gid: undefined, prefix, owner: 0 };
  return undefined;
}

function reachableByNobody(path: string): boolean {
  const probe = spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', path], { uid: nobody, gid: nobody, cwd: '/' });
  return probe.status === 0;
}

/** The command line that runs `program` as chosen. */
export function commandOf(as: Unprivileged, program: string, args: readonly string[]): [string, string[]] {
  const [command, ...rest] = [...as.prefix, program, ...args];
  return [command!, rest];
}

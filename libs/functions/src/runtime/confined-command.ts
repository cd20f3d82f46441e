import type { HostPrograms } from './host-programs.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/**
 * User ids for functions: 60706–61183 is the stretch that systemd's table of ids leaves to nobody, and it lies
 * within the 65536 ids that containers usually map.
 */
export const functionUids = { first: 60_706, count: 478 } as const;

export interface Confinement {
  /** Null: the server's own user. */
  readonly uid: number | null;
  readonly memoryBytes: number;
  /** Begins the process in a jail. */
  readonly enter?: readonly string[];
}

/** The command that runs `program` under the limits that `programs` can set. */
export function confinedCommand(
  programs: HostPrograms,
  program: readonly string[],
  { uid, memoryBytes, enter }: Confinement,
): [program: string, args: string[]] {
  const { nsenter, prlimit, setpriv } = programs;
  const chain = [
    ...(enter ? [nsenter!, ...enter] : []),
    ...(prlimit ? [prlimit, ...resourceLimits(memoryBytes, uid !== null)] : []),
    ...(setpriv ? [setpriv, ...privileges(uid, enter !== undefined)] : []),
    ...program,
  ];
  return [chain[0]!, chain.slice(1)];
}

/**
 * `--data` bounds private writable memory, which stops what V8's heap limit does not see: ArrayBuffers, WebAssembly
 * and threads. V8 reserves 512 MiB of it for code before the function has allocated anything, and stacks and the
 * runtime take some 30 MiB. Address space (`--as`) cannot be bounded: V8 reserves tens of GiB that it never touches.
 */
function resourceLimits(memoryBytes: number, hasOwnUser: boolean): string[] {
  const codeRangeAndStacks = (512 + 128) * 1024 * 1024;
  return [
    `--data=${codeRangeAndStacks + memoryBytes}`,
    '--core=0',
    `--nofile=${limits.openFiles}`,
    `--fsize=${limits.fileBytes}`,
    // Counted per user, so it would count the server's own threads if they shared one.
    ...(hasOwnUser ? [`--nproc=${limits.threads}`] : []),
  ];
}

/** Arguments of setpriv by which a process keeps no privileges and ends with this one. */
export function privileges(uid: number | null, isInJail = false): string[] {
  const identity = uid === null ? [] : ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  const isPrivileged = process.getuid?.() === 0 || isInJail;
  const capabilities = isPrivileged ? ['--bounding-set', '-all', '--inh-caps', '-all'] : [];
  return ['--no-new-privs', '--pdeathsig', 'KILL', ...capabilities, ...identity];
}

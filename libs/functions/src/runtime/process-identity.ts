import { readFileSync, readlinkSync } from 'node:fs';

/**
 * When a process started, in clock ticks since boot: with its pid it names one process for good, since pids are
 * used again. Null when there is no such process; `'0'` for a living one on hosts without `/proc`.
 */
export function processStartTime(pid: number): string | null {
  if (process.platform !== 'linux') return isAlive(pid) ? '0' : null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name, in parentheses, may itself hold spaces and parentheses. Field 22 is the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

/** The process's command line, for checking that it is what it should be; empty when unknown. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** Names the set of pids that this process can see: containers that share a directory have different ones. */
export function pidNamespace(): string {
  try {
    return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0).toString(36);
  } catch {
    return '0';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

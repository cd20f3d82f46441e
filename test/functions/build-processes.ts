import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from '../support/eventually.js';

/** A running step of a build, as the kernel sees it. */
export interface BuildProcess {
  readonly pid: number;
  readonly status: string;
  readonly limits: string;
}

/** The step `tool` (`check`, say) of a build that the process `parent` is at, as soon as it is. */
export function buildProcess(parent: number, tool: string): Promise<BuildProcess> {
  return eventually(() => find(parent, tool), { what: `deno ${tool} below ${parent}` });
}

function find(parent: number, tool: string): BuildProcess | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [program, command] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      if (!program?.endsWith('/deno') || command !== tool || !isBelow(status, parent)) continue;
      return { pid: Number(pid), status, limits: readFileSync(`/proc/${pid}/limits`, 'utf8') };
    } catch {
      // It ended meanwhile.
    }
  }
  return undefined;
}

/** A child, or the child of one: who enters a namespace of processes leaves another outside, to wait for it. */
function isBelow(status: string, ancestor: number): boolean {
  const parentOf = (text: string) => Number(/^PPid:\t(\d+)$/m.exec(text)?.[1]);
  const parent = parentOf(status);
  return parent === ancestor || parentOf(readFileSync(`/proc/${parent}/status`, 'utf8')) === ancestor;
}

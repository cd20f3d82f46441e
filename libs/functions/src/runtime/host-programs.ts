import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { inheritedEnvironment } from '#libs/platform';

/** The programs of util-linux by which a process is confined; null where one is not there. */
export interface HostPrograms {
  readonly setpriv: string | null;
  readonly prlimit: string | null;
  readonly nsenter: string | null;
  readonly unshare: string | null;
}

export function findHostPrograms(): HostPrograms {
  const isLinux = process.platform === 'linux';
  const find = (name: string) => (isLinux ? findProgram(name) : null);
  return {
    setpriv: find('setpriv'),
    prlimit: find('prlimit'),
    nsenter: find('nsenter'),
    unshare: find('unshare'),
  };
}

function findProgram(name: string): string | null {
  for (const directory of (inheritedEnvironment()['PATH'] ?? '/usr/bin:/bin').split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory.
    }
  }
  return null;
}

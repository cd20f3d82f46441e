import { join } from 'node:path';
import type { Cell } from './cell.js';
import type { DeploymentDirectory } from './deployment-directory.js';
import type { RunDirectory } from './run-directory.js';

/**
 * A directory of the host's, for hosts that allow no namespaces. The process is made for one deployment, whose
 * directory it may read; all that keeps it from the rest of the host are its user id and Deno's permissions.
 */
export function openCell(options: {
  runDirectory: RunDirectory;
  loaderDirectory: string;
  deployment: DeploymentDirectory;
  uid: number | null;
}): Cell {
  const { runDirectory, loaderDirectory, deployment, uid } = options;
  const directory = runDirectory.createInstanceDirectory(uid);
  return {
    name: directory.name,
    uid,
    paths: {
      loader: join(loaderDirectory, 'loader.js'),
      authorities: join(loaderDirectory, 'authorities.pem'),
      codeDirectory: deployment.codeDirectory,
      socket: join(directory.path, 's.sock'),
      nodeSocket: join(directory.path, 'n.sock'),
      denoDirectory: deployment.denoDirectory,
      temporary: null,
    },
    enter: undefined,
    doors: [],
    datagrams: null,
    onStarted: (pid) => directory.recordProcess(pid),
    onReady: () => {},
    outside: (path) => path,
    bringIn: () => Promise.resolve(),
    remove: () => directory.remove(),
  };
}

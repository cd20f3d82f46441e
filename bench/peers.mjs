// What is measured beside Galley, installed on first use: nothing but the benchmarks needs it.
import { fork, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './galley-process.mjs';

const directory = join(root, 'bench', 'peers');

/** The path of something in an installed package. */
export function installed(...path) {
  const file = join(directory, 'node_modules', ...path);
  if (existsSync(file)) return file;
  const args = ['install', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', args, { cwd: directory, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error('npm could not install what Galley is measured beside.');
  return file;
}

/** Runs one of the servers in `bench/peers`, on the Node that they ask for. */
export function startPeer(name, args) {
  return startServer(join(directory, `${name}.mjs`), args, installed('node', 'bin', 'node'));
}

/** Runs a server that tells its port once it listens. */
export async function startServer(file, args, execPath = process.execPath) {
  const child = fork(file, args, { execPath, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const port = await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`${file} ended with status ${code}`)));
  });
  return { url: `http://127.0.0.1:${port}`, stop: () => child.kill('SIGKILL') };
}

// The floor of functions: the same handler in a bare Deno process on a unix socket.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const libc = process.platform === 'linux' ? '-glibc' : '';
const deno = join(
  dirname(require.resolve(`@deno/${process.platform}-${process.arch}${libc}/package.json`)),
  'deno',
);

/**
 * Spawns Deno with `code` and resolves when it has answered a first request; `firstMs` counts from the spawn.
 * @param place a directory of earlier starts of the same code, so that Deno finds there what V8 compiled then
 */
export async function startBareDeno(code, place) {
  const directory = place ?? mkdtempSync(join(tmpdir(), 'galley-floor-'));
  const script = join(directory, 'index.js');
  const socketPath = join(directory, 's');
  rmSync(socketPath, { force: true });
  writeFileSync(script, code);
  const startedAt = performance.now();
  const child = spawn(deno, ['run', '--no-prompt', '--no-config', '--no-lock', '--allow-all', script], {
    env: { DENO_SERVE_ADDRESS: `unix:${socketPath}`, DENO_DIR: directory, NO_COLOR: '1' },
    stdio: 'ignore',
  });
  while (!(await answers(socketPath))) {
    if (child.exitCode !== null) throw new Error(`Bare Deno ended with status ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const firstMs = performance.now() - startedAt;
  return {
    socketPath,
    firstMs,
    stop() {
      child.kill('SIGKILL');
      if (!place) rmSync(directory, { recursive: true, force: true });
    },
  };
}

function answers(socketPath) {
  return new Promise((resolve) => {
    request({ socketPath, path: '/', agent: false }, (response) =>
      response.resume().once('end', () => resolve(true)),
    )
      .once('error', () => resolve(false))
      .end();
  });
}

// The same small handler elsewhere: in workerd, which runs Cloudflare Workers, and in a plain NestJS server.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, root } from './galley-process.mjs';
import { installed } from './peers.mjs';

export async function startWorkerd() {
  const directory = mkdtempSync(join(tmpdir(), 'galley-workerd-'));
  const port = await freePort();
  writeFileSync(
    join(directory, 'worker.js'),
    "export default { fetch: (request) => new Response('hello ' + new URL(request.url).pathname) };",
  );
  writeFileSync(
    join(directory, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "worker", esModule = embed "worker.js")], compatibilityDate = "2026-01-01"))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);`,
  );
  const child = spawn(installed('workerd', 'bin', 'workerd'), ['serve', join(directory, 'config.capnp')], {
    stdio: 'ignore',
    detached: true,
  });
  const url = `http://127.0.0.1:${port}`;
  await untilAnswered(url, child);
  return {
    url,
    stop() {
      // The package's program starts the real one, which would outlive it.
      process.kill(-child.pid, 'SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export const startNest = () => startNode('functions-nest.mjs');

/** A bare Node proxy before what listens on `socketPath`. */
export const startProxy = (socketPath) => startNode('functions-proxy.mjs', socketPath);

async function startNode(file, ...args) {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, 'bench', file), String(port), ...args], {
    cwd: root,
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}`;
  await untilAnswered(url, child);
  return { url, stop: () => child.kill('SIGKILL') };
}

async function untilAnswered(url, child) {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`A peer ended with status ${child.exitCode}`);
    const answered = await fetch(url).then(
      (response) => response.text(),
      () => null,
    );
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// The same small handler elsewhere: in workerd, which runs Cloudflare Workers, and in a plain NestJS server.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, root } from './galley-process.mjs';

const peers = join(dirname(fileURLToPath(import.meta.url)), 'peers');

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
  const child = spawn(workerd(), ['serve', join(directory, 'config.capnp')], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await untilAnswered(url, child);
  return {
    url,
    stop() {
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Installed on first use: nothing but this benchmark needs it. */
function workerd() {
  const binary = join(peers, 'node_modules', 'workerd', 'bin', 'workerd');
  if (existsSync(binary)) return binary;
  const args = ['install', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', args, { cwd: peers, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error('npm could not install what Galley is measured beside.');
  return binary;
}

export async function startNest() {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, 'bench', 'functions-nest.mjs'), String(port)], {
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

// A Galley of the benchmark's own: its own data directory and port, started as `npm start` does.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export function newDataDir() {
  return mkdtempSync(join(tmpdir(), 'galley-bench-'));
}

export async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts Galley and resolves when it says that it is ready. `readyMs` counts from the spawn. */
export async function startGalley({ dataDir, project, environment = {} }) {
  const port = await freePort();
  const startedAt = performance.now();
  const args = ['scripts/start.mjs', ...(project ? [join(root, project)] : [])];
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, GALLEY_DATA_DIR: dataDir, PORT: String(port), LOG_LEVEL: 'warn', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (output.includes('Stop:')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`Galley ended with status ${code}`)));
  });
  const readyMs = performance.now() - startedAt;
  const connection = JSON.parse(readFileSync(join(dataDir, 'connection.json'), 'utf8'));
  const stop = async () => {
    const stoppedAt = performance.now();
    child.kill('SIGINT');
    await new Promise((resolve) => child.once('exit', resolve));
    return performance.now() - stoppedAt;
  };
  return {
    pid: child.pid,
    readyMs,
    ...connection,
    stop,
    remove: () => rmSync(dataDir, { recursive: true, force: true }),
  };
}

/** The process and all that it started, by their parents. */
export function processTree(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended while we looked.
    }
  }
  const tree = [pid];
  for (const parent of tree) for (const [child, of] of parents) if (of === parent) tree.push(child);
  return tree;
}

/** Proportional set size of a process tree: shared pages are counted once, as the machine pays for them. */
export function memoryMb(pid) {
  const kilobytes = processTree(pid).map((one) => {
    try {
      return Number(/^Pss: +(\d+)/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'))[1]);
    } catch {
      return 0;
    }
  });
  return kilobytes.reduce((sum, kb) => sum + kb, 0) / 1024;
}

/** Instances of functions that there are now, by the server's own count: processes held ready for none are not among them. */
export async function functionInstances({ url, secretKey }) {
  const response = await fetch(`${url}/metrics`, { headers: { apikey: secretKey } });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return [...text.matchAll(/^galley_function_instances\{[^}]*\} (\d+)/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
}

/** Deploys one module as a function, unchecked. */
export async function deployFunction({ url, secretKey }, slug, source, manifest = {}) {
  const form = new FormData();
  const metadata = { name: slug, entrypoint_path: 'index.ts', galley: { check: false, ...manifest } };
  form.append('metadata', JSON.stringify(metadata));
  form.append('file', new Blob([source]), 'index.ts');
  const response = await fetch(`${url}/v1/projects/local/functions/deploy?slug=${slug}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secretKey}` },
    body: form,
  });
  if (!response.ok) throw new Error(await response.text());
}

/** Processor time that each process of a tree has used, in milliseconds, by pid. */
export function cpuMsByProcess(pid) {
  const used = new Map();
  for (const one of processTree(pid)) {
    try {
      const stat = readFileSync(`/proc/${one}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      used.set(one, (Number(fields[11]) + Number(fields[12])) * 10);
    } catch {
      // It ended while we looked.
    }
  }
  return used;
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { DenoRuntime } from '../../libs/functions/src/runtime/deno-runtime.js';
import type { FunctionInstance, InstanceSpec } from '../../libs/functions/src/runtime/function-runtime.js';
import { processStartTime } from '../../libs/functions/src/runtime/process-identity.js';
import { sweepRunDirectory } from '../../libs/functions/src/runtime/run-directory.js';
import { eventually } from '../support/eventually.js';
import { call, scratchDataDir, specFor } from './runtime-support.js';

const dataDir = scratchDataDir();
let runtime: DenoRuntime;
let server: Server;
let port: number;
let hostFile: string;

beforeAll(async () => {
  runtime = await DenoRuntime.open({ dataDir: dataDir.path });
  hostFile = join(dataDir.path, 'secret.txt');
  writeFileSync(hostFile, 'the-secret', { mode: 0o644 });
  server = createServer((_, response) => response.end('reached'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(async () => {
  await runtime.close();
  server.closeAllConnections();
  server.close();
  dataDir.remove();
});

/** What `expression` comes to inside a function, or the name of the error that it throws. */
async function inside(expression: string, options: Partial<InstanceSpec> = {}): Promise<string> {
  const code = `const attempt = async () => (${expression});
    Deno.serve(async () => { try { return new Response(String(await attempt())); }
      catch (error) { return new Response('threw ' + error.name + ': ' + error.message); } });`;
  const instance = await runtime.start(specFor(code, options));
  const { text } = await call(instance);
  instance.kill('removed');
  return text;
}

const refused = /^threw \w+: .*(Requires [a-z]+ access|remote specifier|Web Workers are not available)/;

describe('files of the host', () => {
  it.each([
    ['a static import of text', `import x from '/etc/passwd' with { type: 'text' };`],
    ['a static import of JSON', `import x from 'file:///etc/os-release' with { type: 'json' };`],
    ['a literal dynamic import', `await import('/etc/passwd', { with: { type: 'text' } });`],
  ])('are refused to %s, as the module is loaded', async (_name, code) => {
    await expect(runtime.start(specFor(`${code}\nDeno.serve(() => new Response());`))).rejects.toMatchObject({
      code: 'BOOT_ERROR',
      details: expect.stringContaining('Requires read access'),
    });
  });

  it.each([
    ['Deno.readTextFile', (path: string) => `Deno.readTextFile('${path}')`],
    ['node:fs', (path: string) => `(await import('node:fs')).readFileSync('${path}', 'utf8')`],
    ['fetch of a file URL', (path: string) => `(await fetch('file://${path}')).text()`],
    [
      'a computed import',
      (path: string) => `(await import('${path}'.slice(0), { with: { type: 'text' } })).default`,
    ],
    ['require', (path: string) => `(await import('node:module')).createRequire(import.meta.url)('${path}')`],
    [
      'a Worker',
      (path: string) =>
        `new Promise((_, no) => { new Worker('file://${path}', { type: 'module' }).onerror = (e) => { e.preventDefault(); no(new Error(e.message)); } })`,
    ],
    ['Deno.readDir', (path: string) => `Array.fromAsync(Deno.readDir('${dirname(path)}'))`],
    ['its own environment file', () => `Deno.readTextFile('/proc/self/environ')`],
  ])('are refused to %s', async (_name, expression) => {
    expect(await inside(expression(hostFile))).toMatch(refused);
  });

  it('cannot be written, nor can Deno storage be filled', async () => {
    expect(await inside(`Deno.writeTextFile('/tmp/galley-escape', 'x')`)).toMatch(refused);
    const fill = `(await caches.open('x')).put('http://x/', new Response('y'.repeat(1e6)))`;
    expect(await inside(fill)).toMatch(/^threw/);
    expect(await inside(`localStorage.setItem('a', 'x')`)).toMatch(/^threw/);
  });

  it('of other functions are refused', async () => {
    const victim = await runtime.start(specFor(`const secret = 1; Deno.serve(() => new Response());`));
    const deployments = join(dirname(dirname(runDirectoryOf(victim))), '..', 'deployments');
    const names = readdirSync(deployments).filter((name) => !name.startsWith('.'));
    expect(names.length).toBeGreaterThan(0);
    expect(await inside(`Deno.readTextFile('${join(deployments, names[0]!, 'code', 'main.js')}')`)).toMatch(
      refused,
    );
    victim.kill('removed');
  });
});

describe('programs and privileges', () => {
  it.each([
    ['Deno.Command', `new Deno.Command('/bin/true').output()`],
    ['node:child_process', `(await import('node:child_process')).execFileSync('/bin/echo', ['ran'])`],
    ['foreign libraries', `Deno.dlopen('/lib/x86_64-linux-gnu/libc.so.6', {})`],
    ['signals to other processes', `Deno.kill(1, 'SIGKILL')`],
    ['names of the host', `Deno.hostname()`],
  ])('%s are refused', async (_name, expression) => {
    // node:child_process does not say why.
    const answer = await inside(expression);
    expect(answer.replace('Command failed', 'Requires run access')).toMatch(refused);
  });

  it('are given up by the process as far as this host allows', async () => {
    const instance = await runtime.start(specFor(`Deno.serve(() => new Response());`));
    const status = readFileSync(`/proc/${instance.pid}/status`, 'utf8');
    const report = runtime.isolation();
    if (report.noNewPrivileges) {
      expect(status).toMatch(/NoNewPrivs:\s+1/);
      expect(status).toMatch(/CapEff:\s+0{16}/);
    }
    if (report.separateUser) expect(status).not.toMatch(/Uid:\s+0/);
    instance.kill('removed');
    expect(report.runtime).toMatch(/^deno \d/);
  });
});

describe('the environment', () => {
  it('is what was declared, and undeclared names read as undefined', async () => {
    const expression = `JSON.stringify([Deno.env.toObject(), Deno.env.get('PATH'), Deno.env.get('DENO_DIR'), process.env.HOME ?? null])`;
    expect(JSON.parse(await inside(expression, { env: { GREETING: 'hi' } }))).toEqual([
      { GREETING: 'hi' },
      null,
      null,
      null,
    ]);
  });

  it('of the process itself holds nothing of the server', async () => {
    const instance = await runtime.start(specFor(`Deno.serve(() => new Response());`, { env: { A: '1' } }));
    const names = readFileSync(`/proc/${instance.pid}/environ`, 'utf8')
      .split('\0')
      .map((entry) => entry.split('=')[0]);
    expect(names.filter(Boolean).toSorted()).toEqual(
      [
        'A',
        'DENO_DIR',
        'DENO_NO_UPDATE_CHECK',
        'DENO_SERVE_ADDRESS',
        'DENO_TLS_CA_STORE',
        'NO_COLOR',
      ].toSorted(),
    );
    instance.kill('removed');
  });
});

describe('the network', () => {
  it('reaches the declared host and port', async () => {
    const allowedHosts = [`127.0.0.1:${port}`];
    expect(await inside(`(await fetch('http://127.0.0.1:${port}')).text()`, { allowedHosts })).toBe(
      'reached',
    );
  });

  it.each([
    ['another port', () => `fetch('http://127.0.0.1:${port - 1}')`],
    ['another name of the host', () => `fetch('http://localhost:${port}')`],
    ['an undeclared host', () => `fetch('http://10.0.0.1')`],
    ['cloud metadata', () => `fetch('http://169.254.169.254/latest/meta-data')`],
    ['Deno.connect', () => `Deno.connect({ hostname: '127.0.0.1', port: 1 })`],
    [
      'node:net',
      () =>
        `new Promise(async (yes, no) => (await import('node:net')).connect(1, '127.0.0.1').on('error', no))`,
    ],
    ['listening on TCP', () => `(await import('node:net')).createServer().listen(0)`],
    ['remote code', () => `import('https://esm.sh/' + 'ms')`],
    ['name look-ups', () => `Deno.resolveDns('example.com', 'A')`],
  ])('refuses %s', async (_name, expression) => {
    expect(await inside(expression(), { allowedHosts: [`127.0.0.1:${port}`] })).toMatch(refused);
  });

  it('refuses the socket of another instance', async () => {
    const victim = await runtime.start(specFor(`Deno.serve(() => new Response('private'));`));
    const socket = join(runDirectoryOf(victim), 's.sock');
    expect(existsSync(socket)).toBe(true);
    expect(await inside(`Deno.connect({ transport: 'unix', path: '${socket}' })`)).toMatch(refused);
    const connecting = `import('node:net').then((net) => new Promise((yes, no) =>
      net.connect('${socket}').on('connect', () => yes('connected')).on('error', no)))`;
    expect(await inside(connecting)).toMatch(refused);
    victim.kill('removed');
  });
});

describe('a process that misbehaves', () => {
  it('in an endless loop is killed, and its caller told why', async () => {
    const instance = await runtime.start(specFor(`Deno.serve(() => { for (;;); });`));
    const pending = call(instance);
    setTimeout(() => instance.kill('wall-time'), 100);
    await expect(pending).rejects.toMatchObject({ code: 'WORKER_LIMIT', status: 546 });
    expect(await instance.exited).toMatchObject({ reason: 'wall-time', signal: 'SIGKILL' });
  });

  it('and ignores SIGTERM is killed all the same', async () => {
    const instance = await runtime.start(
      specFor(`Deno.addSignalListener('SIGTERM', () => {}); Deno.serve(() => new Response());`),
    );
    instance.kill('idle');
    expect(await instance.exited).toMatchObject({ reason: 'idle', signal: 'SIGKILL' });
    expect(processStartTime(instance.pid)).toBeNull();
  });

  it.each([
    ['its heap', `const all = []; for (;;) all.push(new Array(10_000).fill({}));`],
    ['array buffers', `const all = []; for (;;) all.push(new Uint8Array(4 * 1024 * 1024).fill(1));`],
    [
      'array buffers, slowly',
      `globalThis.all = []; while (true) { all.push(new Uint8Array(1024 * 1024).fill(1)); await new Promise((r) => setTimeout(r, 1)); }`,
    ],
    [
      'WebAssembly memory',
      `const all = []; for (;;) { const m = new WebAssembly.Memory({ initial: 160 }); new Uint8Array(m.buffer).fill(1); all.push(m); }`,
    ],
    [
      'shared memory',
      `const all = []; for (;;) all.push(new Uint8Array(new SharedArrayBuffer(4 * 1024 * 1024)).fill(1));`,
    ],
    [
      'workers',
      `const all = []; for (;;) { all.push(new Worker('data:text/javascript,setInterval(()=>{},1e3)', { type: 'module' })); await new Promise((r) => setTimeout(r, 5)); }`,
    ],
  ])('by filling %s ends, and the host is not harmed', async (_name, code) => {
    const memoryBytes = 96 * 1024 * 1024;
    const instance = await runtime.start(
      specFor(`Deno.serve(async () => { ${code} });`, { limits: { memoryBytes, bootTimeoutMs: 5000 } }),
    );
    const usage = instance.startMeter();
    const answer = await call(instance).catch((error: unknown) => error);
    // A refused allocation is an error inside the function, which answers 500; anything else ends the process.
    expect(answer).toMatchObject(
      answer instanceof Error ? { code: expect.stringMatching(/^WORKER_(LIMIT|ERROR)$/) } : { status: 500 },
    );
    instance.kill('removed');
    await instance.exited;
    expect(usage().peakMemoryBytes).toBeLessThan(memoryBytes + 180 * 1024 * 1024);
  });

  it('and exits in the middle of a call fails that call', async () => {
    const instance = await runtime.start(specFor(`Deno.serve(() => Deno.exit(3));`));
    await expect(call(instance)).rejects.toMatchObject({ code: 'WORKER_ERROR', status: 500 });
    expect(await instance.exited).toMatchObject({ code: 3, reason: 'crash' });
    await expect(call(instance)).rejects.toMatchObject({ code: 'WORKER_ERROR' });
  });

  it('and answers no valid HTTP fails that call', async () => {
    const instance = await runtime.start(
      specFor(`import net from 'node:net'; const path = Deno.listen ? undefined : 0;
        Deno.serve(() => new Response('x', { headers: { 'x-large': 'y'.repeat(100_000) } }));`),
    );
    await expect(call(instance)).rejects.toMatchObject({ code: 'WORKER_ERROR', status: 500 });
    instance.kill('removed');
  });
});

describe('the end of the server', () => {
  it('by kill -9 ends every instance, even one in an endless loop', async () => {
    const [pids, parent] = await startInOtherProcess();
    parent.kill('SIGKILL');
    await eventually(() => pids.every((pid) => processStartTime(pid) === null));
  });

  it('leaves run directories that the next start sweeps', async () => {
    const [pids, parent] = await startInOtherProcess();
    parent.kill('SIGKILL');
    await eventually(() => pids.every((pid) => processStartTime(pid) === null));
    const mine = runDirectoryOf(await runtime.start(specFor(`Deno.serve(() => new Response());`)));
    const before = readdirSync(dirname(dirname(mine)));
    await sweepRunDirectory(dataDir.path);
    const after = readdirSync(dirname(dirname(mine)));
    expect(before.length).toBeGreaterThan(after.length);
    expect(after).toContain(dirname(mine).split('/').at(-1));
    expect(existsSync(mine)).toBe(true);
  });

  it('lets the sweep kill only processes that are what was recorded', async () => {
    const innocent = spawn('/bin/sleep', ['60']);
    const abandoned = join(
      dataDir.path,
      'run',
      `${process.platform === 'linux' ? namespaceOfRuns() : '0'}-999999999-1`,
    );
    mkdirSync(abandoned, { recursive: true });
    writeFileSync(join(abandoned, '0.pid'), `${innocent.pid} ${processStartTime(innocent.pid!)}`);
    expect(await sweepRunDirectory(dataDir.path)).toBe(0);
    expect(existsSync(abandoned)).toBe(false);
    expect(processStartTime(innocent.pid!)).not.toBeNull();
    innocent.kill('SIGKILL');
  });

  it('removes the run directory when it closes in order', async () => {
    const own = await DenoRuntime.open({ dataDir: dataDir.path });
    const instance = await own.start(specFor(`Deno.serve(() => new Response());`));
    const directory = dirname(runDirectoryOf(instance));
    expect(existsSync(directory)).toBe(true);
    await own.close();
    expect(existsSync(directory)).toBe(false);
    expect(await instance.exited).toMatchObject({ reason: 'shutdown' });
  });
});

/** The private directory of an instance, from the process's own command line. */
function runDirectoryOf(instance: FunctionInstance): string {
  const argv = readFileSync(`/proc/${instance.pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  return dirname(argv.at(-1)!);
}

function namespaceOfRuns(): string {
  return readdirSync(join(dataDir.path, 'run'))[0]!.split('-')[0]!;
}

/** Two instances, one of them looping, started by a process of their own. */
async function startInOtherProcess(): Promise<[number[], ReturnType<typeof spawn>]> {
  const parent = spawn(process.execPath, ['test/functions/instance-parent.mjs', dataDir.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  parent.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await eventually(() => output.includes('\n'));
  return [JSON.parse(output) as number[], parent];
}

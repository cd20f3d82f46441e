import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { FunctionInstance, InstanceSpec } from '../../libs/functions/src/runtime/function-runtime.js';
import { arrangements, useHostileRuntime } from './hostile-support.js';

const empty = `Deno.serve(() => new Response());`;

describe.each(arrangements)('in a function of the arrangement "%s"', (arrangement) => {
  const isJail = arrangement === 'jail';
  const privateHosts: string[] = [];
  const used = useHostileRuntime(arrangement, { privateHosts });
  const inside = (expression: string, options?: Partial<InstanceSpec>) => used.inside(expression, options);
  let server: Server;
  let port: number;
  let hostFile: string;

  beforeAll(async () => {
    hostFile = join(used.dataDir, 'secret.txt');
    writeFileSync(hostFile, 'the-secret', { mode: 0o644 });
    server = createServer((_, response) => response.end('reached'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    privateHosts.push(`127.0.0.1:${port}`);
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  describe('files of the host', () => {
    it.each([
      ['a static import of text', `import x from '/etc/passwd' with { type: 'text' };`],
      ['a static import of JSON', `import x from 'file:///etc/os-release' with { type: 'json' };`],
      ['a literal dynamic import', `await import('/etc/passwd', { with: { type: 'text' } });`],
    ])('are refused to %s, as the module is loaded', async (_name, code) => {
      await expect(used.start(`${code}\n${empty}`)).rejects.toMatchObject({
        code: 'BOOT_ERROR',
        details: expect.stringContaining('Requires read access'),
      });
    });

    const reads: [string, (path: string) => string, RegExp][] = [
      ['Deno.readTextFile', (path) => `Deno.readTextFile('${path}')`, /NotFound: No such file/],
      ['node:fs', (path) => `(await import('node:fs')).readFileSync('${path}', 'utf8')`, /ENOENT/],
      ['fetch of a file URL', (path) => `(await fetch('file://${path}')).text()`, /No such file/],
      [
        'a computed import',
        (path) => `(await import('${path}'.slice(0), { with: { type: 'text' } })).default`,
        /failed, not found/,
      ],
      [
        'require',
        (path) => `(await import('node:module')).createRequire(import.meta.url)('${path}')`,
        /Cannot find module/,
      ],
      [
        'Deno.readDir',
        (path) => `Array.fromAsync(Deno.readDir('${dirname(path)}'))`,
        /NotFound: No such file/,
      ],
    ];
    // Where the scratch directory of tests is, below /tmp, a function in a jail has files of its own.
    it.each(reads)('are not there for %s', async (_name, expression, missing) => {
      expect(await inside(expression(hostFile))).toMatch(isJail ? missing : /Requires read access/);
    });

    it.each(reads)('are refused to %s elsewhere', async (_name, expression) => {
      expect(await inside(expression('/etc/hostname'))).toMatch(/^threw \w+: .*Requires read access/);
    });

    it.each([
      [
        'a Worker',
        `new Promise((_, no) => { new Worker('file:///etc/passwd', { type: 'module' }).onerror = (e) => { e.preventDefault(); no(new Error(e.message)); } })`,
        /Web Workers are not available/,
      ],
      ['its own environment file', `Deno.readTextFile('/proc/self/environ')`, /Requires read access/],
    ])('are refused to %s', async (_name, expression, why) => {
      expect(await inside(expression)).toMatch(why);
    });

    it('cannot be written', async () => {
      for (const path of ['/etc/galley-escape', '/i/code/main.js', '/usr/galley-escape']) {
        expect(await inside(`Deno.writeTextFile('${path}', 'x')`)).toMatch(/Requires write access/);
      }
    });

    it('of other functions are refused', async () => {
      const victim = await used.start(`const secret = 1; ${empty}`);
      const deployments = join(used.dataDir, 'deployments');
      const names = readdirSync(deployments).filter((name) => !name.startsWith('.'));
      expect(names.length).toBeGreaterThan(0);
      const code = join(deployments, names[0]!, 'code', 'main.js');
      expect(await inside(`Deno.readTextFile('${code}')`)).toMatch(
        isJail ? /NotFound: No such file/ : /Requires read access/,
      );
      victim.kill('removed');
    });
  });

  describe('what a function may write', () => {
    const path = isJail ? '/tmp/x' : '/tmp/galley-escape';
    it(isJail ? 'is its own /tmp, which is not that of the host' : 'is nothing', async () => {
      const answer = await inside(
        `Deno.writeTextFile('${path}', 'x').then(() => Deno.readTextFile('${path}'))`,
      );
      expect(answer).toMatch(isJail ? /^x$/ : /Requires write access/);
      expect(existsSync(path)).toBe(false);
    });

    it('through the storage of Deno is bounded', async () => {
      const fill = `caches.open('x').then(async (cache) => {
        for (let n = 0; n < 300; n += 1) await cache.put('http://x/' + n, new Response(new Uint8Array(1e6)));
        return 'stored 300 MB';
      })`;
      // The whole jail is 96 MiB; an open cell's directory cannot be added to at all.
      expect(await inside(fill).catch((error: Error) => `ended: ${error.message}`)).toMatch(
        isJail ? /^threw|^ended/ : /^threw/,
      );
      expect(await inside(`localStorage.setItem('a', 'x') ?? 'stored'`)).toMatch(
        isJail ? /^stored$/ : /^threw/,
      );
    });
  });

  describe('programs and privileges', () => {
    it.each([
      ['Deno.Command', `new Deno.Command('/bin/true').output()`, /Requires run access/],
      [
        'node:child_process',
        `(await import('node:child_process')).execFileSync('/bin/echo', ['ran'])`,
        /^threw Error: Command failed: \/bin\/echo ran$/,
      ],
      ['foreign libraries', `Deno.dlopen('/lib/x86_64-linux-gnu/libc.so.6', {})`, /Requires ffi access/],
      ['signals to other processes', `Deno.kill(1, 'SIGKILL')`, /Requires run access/],
      ['names of the host', `Deno.hostname()`, /Requires sys access/],
    ])('%s are refused', async (_name, expression, why) => {
      expect(await inside(expression)).toMatch(why);
    });

    it('are given up by the process as far as this host allows', async () => {
      const instance = await used.start(empty);
      const status = readFileSync(`/proc/${instance.pid}/status`, 'utf8');
      const report = used.runtime.isolation();
      if (report.noNewPrivileges) {
        expect(status).toMatch(/NoNewPrivs:\s+1/);
        expect(status).toMatch(/CapEff:\s+0{16}/);
        expect(status).toMatch(/CapBnd:\s+0{16}/);
      }
      if (report.separateUser) expect(status).not.toMatch(/Uid:\s+0/);
      if (report.systemCalls === 'filtered') expect(status).toMatch(/Seccomp:\s+2/);
      instance.kill('removed');
      expect(report.runtime).toMatch(/^deno \d/);
    });
  });

  describe('the environment', () => {
    it('is what was declared, and undeclared names read as undefined', async () => {
      const expression = `[Deno.env.toObject(), Deno.env.get('PATH'), Deno.env.get('DENO_DIR'), process.env.HOME ?? null]`;
      expect(JSON.parse(await inside(expression, { env: { GREETING: 'hi' } }))).toEqual([
        { GREETING: 'hi', ...(isJail && { DENO_TLS_CA_STORE: 'mozilla,system' }) },
        null,
        null,
        null,
      ]);
    });

    it('of the process itself holds nothing of the server', async () => {
      const instance = await used.start(empty, { env: { A: '1' } });
      const names = readFileSync(`/proc/${instance.pid}/environ`, 'utf8')
        .split('\0')
        .map((entry) => entry.split('=')[0]);
      // A jail's process is not for any function yet when it starts.
      expect(names.filter(Boolean).toSorted()).toEqual([
        ...(isJail ? [] : ['A']),
        'DENO_DIR',
        'DENO_NO_UPDATE_CHECK',
        'DENO_SERVE_ADDRESS',
        'DENO_TLS_CA_STORE',
        'NO_COLOR',
      ]);
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

    const failed = /^threw TypeError: fetch failed$/;
    it.each([
      ['another port', () => `fetch('http://127.0.0.1:${port - 1}')`, failed, /Requires net access/],
      [
        'another address of the host',
        () => `fetch('http://127.0.0.2:${port}')`,
        failed,
        /Requires net access/,
      ],
      ['an undeclared host', () => `fetch('http://10.0.0.1')`, failed, /Requires net access/],
      ['cloud metadata', () => `fetch('http://169.254.169.254/latest')`, failed, /Requires net access/],
      [
        'Deno.connect',
        () => `Deno.connect({ hostname: '127.0.0.1', port: 1 })`,
        /^threw ConnectionRefused/,
        /Requires net access/,
      ],
      [
        'node:net',
        () =>
          `new Promise(async (yes, no) => (await import('node:net')).connect(1, '127.0.0.1').on('error', no))`,
        /ECONNREFUSED/,
        /Requires net access/,
      ],
      ['remote code', () => `import('https://esm.sh/' + 'ms')`, /--no-remote/, /remote specifier/],
      [
        'name look-ups by getaddrinfo',
        () => `import('node:dns').then((dns) => dns.promises.lookup('example.com'))`,
        /ENOTFOUND/,
        /^threw Error: getaddrinfo EPERM/,
      ],
    ])('refuses %s', async (_name, expression, inJail, inOpenCell) => {
      const answer = await inside(expression(), { allowedHosts: [`127.0.0.1:${port}`] });
      expect(answer).toMatch(isJail ? inJail : inOpenCell);
    });

    it('is listened on in vain: nobody outside can connect', async () => {
      const answer = await inside(`import('node:net').then((net) => new Promise((yes, no) => {
        const server = net.createServer().on('error', no).listen(0, () => yes(server.address()));
      }))`);
      if (!isJail) return expect(answer).toMatch(/Requires net access/);
      const { port: inner } = JSON.parse(answer) as { port: number };
      await expect(fetch(`http://127.0.0.1:${inner}`)).rejects.toThrow('fetch failed');
    });

    it('refuses the socket of another instance', async () => {
      const victim = await used.start(`Deno.serve(() => new Response('private'));`);
      const socket = isJail
        ? `/proc/${victim.pid}/root/i/run/s.sock`
        : join(runDirectoryOf(victim), 's.sock');
      expect(existsSync(socket)).toBe(true);
      expect(await inside(`Deno.connect({ transport: 'unix', path: '${socket}' })`)).toMatch(
        /Requires read access/,
      );
      const connecting = `import('node:net').then((net) => new Promise((yes, no) =>
        net.connect('${socket}').on('connect', () => yes('connected')).on('error', no)))`;
      expect(await inside(connecting)).toMatch(/Requires read access/);
      victim.kill('removed');
    });
  });
});

/** The private directory of an instance in an open cell, from its command line: where its socket is. */
function runDirectoryOf(instance: FunctionInstance): string {
  const argv = readFileSync(`/proc/${instance.pid}/cmdline`, 'utf8').split('\0');
  return dirname(argv[argv.findIndex((word) => word.endsWith('loader.js')) + 2]!);
}

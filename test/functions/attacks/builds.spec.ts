import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuildNetwork } from '../../../libs/functions/src/bundle/build-hosts.js';
import type { BuildRoom } from '../../../libs/functions/src/bundle/build-room.js';
import { buildSandbox, closeBuildSandboxes } from '../../../libs/functions/src/bundle/build-sandbox.js';
import { runDenoTool } from '../../../libs/functions/src/bundle/deno-tool.js';
import { Cgroups } from '../../../libs/functions/src/runtime/cgroups.js';
import { eventually } from '../../support/eventually.js';
import { bundleSources } from '../bundle-support.js';
import { arrangements } from '../hostile-support.js';
import { scratchDataDir } from '../runtime-support.js';

const where = arrangements.includes('jail') ? describe : describe.skip;

/** Processes of the host that have `text` in an argument. */
function processesWith(text: string): { pid: number; program: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const [program, ...args] = readFileSync(`/proc/${Number(name)}/cmdline`, 'utf8').split('\0');
      return args.some((argument) => argument.includes(text))
        ? [{ pid: Number(name), program: program! }]
        : [];
    } catch {
      return [];
    }
  });
}

// No code of a function runs while it is built. What a compiler could do that was led astray is tried by having Deno
// run code, with all of its own permissions, where the tools of a build run.
where('a tool of a build that does what a stranger wants', () => {
  const dataDir = scratchDataDir();
  const trees: string[] = [];
  const rooms: BuildRoom[] = [];
  let told: string[] = [];
  /** A service of the host that nobody declared: a database, say. */
  let service: Server;
  let port: number;
  const visitors: Socket[] = [];

  const newTree = () => {
    const tree = realpathSync(mkdtempSync(join(tmpdir(), 'galley-bundle-')));
    writeFileSync(join(tree, 'index.ts'), 'export default 1;');
    trees.push(tree);
    return tree;
  };
  const open = async (network: BuildNetwork = {}) => {
    const sandbox = await buildSandbox(dataDir.path, true);
    const room = await sandbox.open(newTree(), network, (line) => told.push(line));
    rooms.push(room);
    return room;
  };
  /** What `code` writes, in a room of its own unless one is given. */
  const run = async (code: string, options: { network?: BuildNetwork; room?: BuildRoom } = {}) => {
    const room = options.room ?? (await open(options.network));
    const args = ['eval', '--no-config', '--no-lock', code];
    const { stdout, stderr } = await runDenoTool({ args, room, onLine: () => {} });
    return `${stdout.toString()}${stderr}`;
  };
  const attempt = (expression: string, options?: { network?: BuildNetwork; room?: BuildRoom }) =>
    run(
      `try { console.log(await (${expression})); } catch (error) { console.log('threw ' + error.name + ': ' + error.message); }`,
      options,
    );

  beforeAll(async () => {
    writeFileSync(join(dataDir.path, 'secret.txt'), 'the-secret', { mode: 0o644 });
    service = createServer((_, response) => response.end('reached'));
    service.on('connection', (socket) => visitors.push(socket));
    await once(service.listen(0), 'listening');
    port = (service.address() as AddressInfo).port;
  });
  beforeEach(() => {
    told = [];
    visitors.splice(0);
  });
  afterEach(() => {
    for (const room of rooms.splice(0)) room.close();
    for (const tree of trees.splice(0)) rmSync(tree, { recursive: true, force: true });
  });
  afterAll(async () => {
    service.closeAllConnections();
    service.close();
    await closeBuildSandboxes();
    dataDir.remove();
  });

  it('finds its sources, and nothing else of the host', async () => {
    expect(await attempt(`Deno.readTextFile('index.ts')`)).toBe('export default 1;\n');
    expect(told).toEqual(['Building in a jail']);
    for (const path of [
      join(dataDir.path, 'secret.txt'),
      '/etc/passwd',
      '/etc/hostname',
      import.meta.filename,
    ]) {
      expect(await attempt(`Deno.readTextFile(${JSON.stringify(path)})`)).toMatch(/^threw NotFound/);
    }
    const listed = await attempt(`['/', '/tmp', '/proc', '/galley'].map((path) => [...Deno.readDirSync(path)]
      .map(({ name }) => name).sort().join()).join(' | ')`);
    expect(listed).toMatch(/^[\w,]*\bi\b[\w,]* \|  \| self \| cache,deno(,home)?\n$/);
  });

  it('has no system calls that reach beyond it, and neither has what it starts', async () => {
    // Harmless where it succeeds: personality(2) with this argument only asks; keyctl(2) has no such operation.
    const calls = `const { symbols } = Deno.dlopen('libc.so.6', {
        syscall: { parameters: ['i64', 'i64', 'i64'], result: 'i64' },
        __errno_location: { parameters: [], result: 'pointer' },
      });
      const errno = (number, first) => Number(symbols.syscall(BigInt(number), BigInt(first), 0n)) === -1
        ? new Deno.UnsafePointerView(symbols.__errno_location()).getInt32() : 0;
      const isArm = Deno.build.arch === 'aarch64';
      const numbers = isArm ? [92, 219, 97] : [135, 250, 272];
      console.log(numbers.map((number, at) => errno(number, [0xffffffff, -1, 0x20000][at])).join());`;
    expect(await run(calls)).toBe('1,1,1\n');
    const program = JSON.stringify(['eval', '--ext=js', '--no-config', '--no-lock', calls]);
    const child = `new Deno.Command('/galley/deno', { args: ${program} }).outputSync()`;
    expect(await run(`console.log(new TextDecoder().decode(${child}.stdout));`)).toBe('1,1,1\n\n');
  });

  it('does not find what is built at the same time', async () => {
    const [room, other] = [await open(), await open()];
    writeFileSync(join(trees.at(-1)!, 'other.ts'), '');
    expect(await attempt(`[...Deno.readDirSync('/i/code')].map(({ name }) => name)`, { room })).toBe(
      '[ "index.ts" ]\n',
    );
    expect(
      await attempt(`['/trees', '/jails'].map((path) => [...Deno.readDirSync(path)].length)`, {
        room: other,
      }),
    ).toBe('[ 0, 0 ]\n');
  });

  it('cannot change its sources, nor fill the memory of the host with files', async () => {
    expect(await attempt(`Deno.writeTextFile('index.ts', '')`)).toMatch(/^threw (?!TypeError)/);
    expect(await attempt(`Deno.writeTextFile('/usr/bin/galley-escape', '')`)).toMatch(/^threw (?!TypeError)/);
    const filling = `(async () => { for (let n = 0; n < 200; n += 1) await Deno.writeFile('/tmp/' + n, new Uint8Array(1e6)); })()`;
    await expect(attempt(filling)).resolves.toMatch(/^threw .*No space left/);
  });

  it('sees no process but its own, and has no privileges', async () => {
    expect(await attempt('Deno.pid + " " + Deno.ppid')).toBe('1 0\n');
    expect(await attempt(`Deno.kill(${process.pid}, 'SIGTERM')`)).toMatch(/ESRCH|No such process/);
    const status = await attempt(
      `new Deno.Command('/usr/bin/setpriv', { args: ['--dump'] }).output().then(({ stdout }) => new TextDecoder().decode(stdout))`,
    );
    expect(status).toMatch(/no_new_privs: 1/);
    expect(status).toMatch(/Capability bounding set: \[none\]/);
    if (process.getuid?.() === 0) expect(status).toMatch(/^uid: 65533$/m);
  });

  it('leaves no process behind', async () => {
    const seconds = `${process.pid}9999`;
    await run(`new Deno.Command('/usr/bin/setsid', { args: ['sleep', '${seconds}'], stdin: 'null', stdout: 'null', stderr: 'null' }).spawn();
      await new Promise((resolve) => setTimeout(resolve, 100)); Deno.exit();`);
    await eventually(() => processesWith(seconds).length === 0, { what: 'the end of what the tool started' });
  });

  it.each(['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '127.0.0.2', '127.64.0.1'])(
    'does not reach a service of the host by %s',
    async (host) => {
      expect(await attempt(`fetch('http://${host}:${port}/').then((response) => response.text())`)).toMatch(
        /^threw TypeError/,
      );
      expect(visitors).toEqual([]);
    },
  );

  it.each(['169.254.169.254', 'metadata.google.internal', '10.0.0.1', '[fd00:ec2::254]', 'example.com'])(
    'does not reach %s',
    async (host) => {
      for (const url of [`http://${host}/`, `https://${host}/`])
        expect(await attempt(`fetch('${url}')`)).toMatch(/^threw TypeError/);
    },
  );

  it('reaches what the operator names, at an address that is not public if that is allowed too', async () => {
    const expression = `fetch('http://127.0.0.1:${port}/').then((response) => response.text())`;
    const packageHosts = [`127.0.0.1:${port}`];
    expect(await attempt(expression, { network: { packageHosts } })).toMatch(/^threw TypeError/);
    expect(visitors).toEqual([]);
    expect(told.at(-1)).toBe(
      `A connection to 127.0.0.1:${port} was refused: it has an address that is not public; the operator can allow it with GALLEY_PRIVATE_HOSTS.`,
    );
    const network = { packageHosts, privateHosts: ['127.0.0.1'] };
    expect(await attempt(expression, { network })).toBe('reached\n');
  });

  it('is told of in the log of the build when it asks for a host that nobody named', async () => {
    await attempt(`fetch('https://packages.example/')`);
    expect(told.at(-1)).toBe(
      'A connection to packages.example was refused: the operator can allow it with GALLEY_PACKAGE_HOSTS.',
    );
  });

  it('is bounded with all its children, where control groups can be written', async () => {
    const groups = process.getuid?.() === 0 ? Cgroups.detect('attacks', 10) : null;
    groups?.close();
    if (!groups) return;
    const seconds = `${process.pid}8888`;
    const running = run(`await new Deno.Command('/usr/bin/sleep', { args: ['${seconds}'] }).output();`);
    const ended = expect(running).rejects.toMatchObject({ code: 'BUILD_KILLED' });
    const pid = await eventually(
      () => processesWith(seconds).find((found) => found.program.endsWith('/sleep'))?.pid,
    );
    expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toMatch(/\/galley-[\w-]+\/galley-bundle-/);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    process.kill(Number(/^PPid:\t(\d+)/m.exec(status)![1]), 'SIGKILL');
    await ended;
  });

  describe('where the world is reached by a proxy', () => {
    const before = process.env['HTTPS_PROXY'];
    let proxy: Server;
    const asked: { url: string; authorization: string | undefined }[] = [];

    beforeAll(async () => {
      proxy = createServer((request, response) => response.end(`proxied ${request.url}`));
      proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
        asked.push({ url: request.url!, authorization: request.headers['proxy-authorization'] });
        const peer = connect(port, '127.0.0.1');
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        for (const end of [socket, peer]) end.on('error', () => {});
        socket.pipe(peer).pipe(socket);
      });
      await once(proxy.listen(0, '127.0.0.1'), 'listening');
      const url = `http://ann:word@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      Object.assign(process.env, { HTTPS_PROXY: url, HTTP_PROXY: url });
    });
    afterAll(() => {
      delete process.env['HTTP_PROXY'];
      delete process.env['HTTPS_PROXY'];
      if (before !== undefined) process.env['HTTPS_PROXY'] = before;
      proxy.closeAllConnections();
      proxy.close();
    });
    beforeEach(() => void asked.splice(0));

    it('is led to it for what may be reached, and for nothing else', async () => {
      // What answers there speaks no TLS.
      expect(await attempt(`fetch('https://esm.sh/x')`)).toMatch(/^threw TypeError/);
      const authorization = `Basic ${Buffer.from('ann:word').toString('base64')}`;
      expect(asked).toEqual([{ url: 'esm.sh:443', authorization }]);
      for (const host of ['169.254.169.254', 'esm.sh:8443', 'evil.example', `127.0.0.1:${port}`]) {
        expect(await attempt(`fetch('https://${host}/')`)).toMatch(/^threw TypeError/);
      }
      expect(asked).toHaveLength(1);
    });

    it('finds it for plain HTTP as well', async () => {
      const network = { packageHosts: ['packages.example:8080'] };
      const text = (url: string) => `fetch('${url}').then((response) => response.text())`;
      expect(await attempt(text('http://packages.example:8080/a'), { network })).toBe(
        'proxied http://packages.example:8080/a\n',
      );
      expect(await attempt(text('http://packages.example/a'), { network })).toBe('\n');
    });

    it('does not learn its password', async () => {
      expect(await attempt('JSON.stringify(Deno.env.toObject())')).not.toContain('word');
    });
  });

  describe('whose jailer is killed', () => {
    it('fails with a clear error, and the next build works', async () => {
      const room = await open();
      const [jailer] = processesWith(`"root":"${dataDir.path}/cache/build-root"`);
      process.kill(jailer!.pid, 'SIGKILL');
      await expect(run('1', { room })).rejects.toMatchObject({ code: 'BUILD_KILLED', status: 503 });
      const { code } = await bundleSources(dataDir.path, {
        'hello/index.ts': 'export default () => new Response("built");',
      });
      expect(Buffer.from(code).toString()).toContain('built');
    });
  });
});

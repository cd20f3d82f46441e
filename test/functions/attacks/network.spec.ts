import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { LogLine } from '../../../libs/functions/src/runtime/function-runtime.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/server.js';
import { arrangements, useHostileRuntime } from '../hostile-support.js';
import { call } from '../runtime-support.js';

describe.each(arrangements)('the network, in the arrangement "%s"', (arrangement) => {
  const isJail = arrangement === 'jail';
  const privateHosts: string[] = [];
  const used = useHostileRuntime(arrangement, { privateHosts });
  /** A service of the host that nobody declared: a database, say. It listens on all addresses. */
  let service: Server;
  /** One that is declared, and leads to the other. */
  let declared: Server;
  let [port, declaredPort] = [0, 0];
  const visitors: Socket[] = [];

  beforeAll(async () => {
    service = createServer((_, response) => response.end('LEAK'));
    service.on('connection', (socket) => visitors.push(socket));
    await once(service.listen(0), 'listening');
    port = (service.address() as AddressInfo).port;
    declared = createServer((request, response) => {
      if (request.url === '/redirect')
        response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end();
      else if (request.url === '/never') response.write('x');
      else response.end('declared');
    });
    await once(declared.listen(0, '127.0.0.1'), 'listening');
    declaredPort = (declared.address() as AddressInfo).port;
    privateHosts.push(`127.0.0.1:${declaredPort}`);
  });
  beforeEach(() => void visitors.splice(0));
  afterAll(() => {
    for (const server of [service, declared]) {
      server.closeAllConnections();
      server.close();
    }
  });

  const inside = (expression: string) =>
    used.inside(expression, { allowedHosts: [`127.0.0.1:${declaredPort}`] });
  const refused = isJail ? /^threw TypeError: fetch failed/ : /^threw NotCapable: Requires net access/;

  // 8, 11
  it.each([
    '127.0.0.1',
    'localhost',
    'localhost.',
    '0.0.0.0',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.0.0.1.',
    '[::1]',
    '[::]',
    // 9
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    // 10
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
  ])('does not lead to a service of the host by the name %s', async (host) => {
    expect(await inside(`fetch('http://${host}:${port}/').then((response) => response.text())`)).toMatch(
      refused,
    );
    expect(visitors).toEqual([]);
  });

  // 11
  it.each([
    '169.254.169.254',
    '[fd00:ec2::254]',
    'metadata.google.internal',
    '172.17.0.1',
    '10.96.0.1',
    '[fe80::1]',
  ])('does not lead to %s', async (host) => {
    expect(await inside(`fetch('http://${host}/').then((response) => response.text())`)).toMatch(refused);
  });

  // Elsewhere the function is told by Deno alone.
  if (isJail) {
    it('tells of connections to addresses that nobody declared, and what to do', async () => {
      const told: string[] = [];
      const onLog = ({ message }: LogLine) => void told.push(message);
      const urls = ['http://93.184.216.34/', 'https://[2606:2800:220:1::1]/', 'http://10.1.2.3/'];
      const tries = `Promise.allSettled(${JSON.stringify(urls)}.map((url) => fetch(url)))`;
      const settled = `${tries}.then((all) => all.map(({ status }) => status).join())`;
      expect(await used.inside(settled, { allowedHosts: [], onLog })).toBe('rejected,rejected,rejected');
      const sentenceOn = (destination: string, entry: string) =>
        `A connection to ${destination} was refused: it is not among permissions.hosts. To allow it, add "${entry}" there`;
      expect(told.toSorted()).toEqual([
        `${sentenceOn('10.1.2.3:80', '10.1.2.3')}; since it is not public, the operator must allow it with GALLEY_PRIVATE_HOSTS.`,
        `${sentenceOn('93.184.216.34:80', '93.184.216.34')}.`,
        `${sentenceOn('[2606:2800:220:1::1]:443', '[2606:2800:220:1::1]')}.`,
      ]);
    });

    const database = `port: 5432, hostname: '93.184.216.34'`;
    const failing = (connection: string) => `new Promise((_, no) => { ${connection} = no; })`;
    const node = (module: string, connection: string) =>
      `import('node:${module}').then((it) => new Promise((_, no) => ${connection}.on('error', no)))`;
    it.each([
      ['Deno.connect', `Deno.connect({ ${database} })`],
      ['Deno.connectTls', `Deno.connectTls({ ${database} })`],
      ['fetch', `fetch('http://93.184.216.34:5432/')`],
      ['WebSocket', failing(`new WebSocket('ws://93.184.216.34:5432/').onerror`)],
      ['node:net', node('net', `it.connect({ port: 5432, host: '93.184.216.34' })`)],
      ['node:tls', node('tls', `it.connect({ port: 5432, host: '93.184.216.34' })`)],
      ['node:https', node('https', `it.get('https://93.184.216.34:5432/')`)],
    ])('tells once of connections by %s to a port that nobody declared', async (_, connection) => {
      const told: LogLine[] = [];
      const onLog = (line: LogLine) => void told.push(line);
      const twice = `(async () => {
        const tries = [${connection}, ${connection}];
        return (await Promise.allSettled(tries)).map(({ status }) => status).join();
      })()`;
      expect(await used.inside(twice, { allowedHosts: [], onLog })).toBe('rejected,rejected');
      await eventually(() => told.length > 0, { what: 'the log telling of it' });
      expect(told.map(({ level, message }) => `${level} ${message}`)).toEqual([
        'warn A connection to 93.184.216.34:5432 was refused: it is not among permissions.hosts. ' +
          'To allow it, add "93.184.216.34:5432" there.',
      ]);
    });

    it('tells of other ports of a declared host by its name, and of nothing that is declared', async () => {
      const told: string[] = [];
      const onLog = ({ message }: LogLine) => void told.push(message.split(':').slice(0, 2).join(':'));
      const free = await freePort();
      privateHosts.push(`127.0.0.1:${free}`);
      const tries = [
        // Declared, and nobody listens: that is not ours to explain.
        `fetch('http://127.0.0.1:${free}/')`,
        `Deno.connect({ port: 5432, hostname: 'database.example' })`,
        node('net', `it.connect(6379, 'database.example')`),
      ];
      const settled = `Promise.allSettled([${tries.join()}]).then((all) => all.map(({ status }) => status).join())`;
      const allowedHosts = [`127.0.0.1:${free}`, 'database.example'];
      expect(await used.inside(settled, { allowedHosts, onLog })).toBe('rejected,rejected,rejected');
      await eventually(() => told.length > 1, { what: 'the log telling of both' });
      expect(told.toSorted()).toEqual([
        'A connection to database.example:5432 was refused',
        'A connection to database.example:6379 was refused',
      ]);
    });

    it('leaves WebSocket and fetch as they are found elsewhere', async () => {
      const look = `[
        WebSocket.name, WebSocket.OPEN, fetch.name, typeof fetch,
        new WebSocket('ws://127.0.0.1:1/') instanceof WebSocket,
        WebSocket.prototype.constructor === WebSocket,
        class extends WebSocket {}.name,
      ]`;
      expect(JSON.parse(await used.inside(look))).toEqual([
        'WebSocket',
        1,
        'fetch',
        'function',
        true,
        true,
        '',
      ]);
    });
  }

  // 13
  it('does not lead further from a declared host to one that is not', async () => {
    const path = `http://127.0.0.1:${declaredPort}`;
    expect(await inside(`fetch('${path}/').then((response) => response.text())`)).toBe('declared');
    expect(await inside(`fetch('${path}/redirect').then((response) => response.text())`)).toMatch(refused);
    expect(visitors).toEqual([]);
  });

  // 14
  it.each<[string, () => string, RegExp]>([
    [
      'a look-up of its own in node:http',
      () => `import('node:http').then((http) => new Promise((yes, no) => http.get(
        { host: 'known.test', port: ${port}, lookup: (name, options, done) => done(null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4) },
        (response) => yes('LEAK ' + response.statusCode)).on('error', no)))`,
      /ECONNRESET|ECONNREFUSED|socket hang up/,
    ],
    [
      'node:net',
      () => `import('node:net').then((net) => new Promise((yes, no) =>
        net.connect(${port}, '127.0.0.1').on('connect', () => yes('LEAK')).on('error', no)))`,
      /ECONNREFUSED/,
    ],
    ['Deno.connect', () => `Deno.connect({ port: ${port} }).then(() => 'LEAK')`, /^threw ConnectionRefused/],
    [
      'a WebSocket',
      () => `new Promise((yes, no) => {
        const socket = new WebSocket('ws://127.0.0.1:${port}');
        socket.onopen = () => yes('LEAK');
        socket.onerror = (event) => no(new Error(event.message));
      })`,
      /failed to connect to WebSocket/,
    ],
    [
      'a proxy',
      () => `fetch('http://127.0.0.1:${declaredPort}', { client: Deno.createHttpClient({ proxy: { url: 'http://127.0.0.1:${port}' } }) })
        .then((response) => response.text())`,
      /^threw TypeError: fetch failed/,
    ],
    [
      'the bindings of Node.js',
      () => `new Promise((yes, no) => {
        const { TCP, TCPConnectWrap } = process.binding('tcp_wrap');
        const tcp = new TCP(0);
        const request = new TCPConnectWrap();
        request.oncomplete = (status) => (status === 0 ? yes('LEAK') : no(new Error('status ' + status)));
        const code = tcp.connect(request, '127.0.0.1', ${port});
        if (code) no(new Error('code ' + code));
      })`,
      /^threw Error: (status|code) -\d+$/,
    ],
  ])('does not lead to a service of the host by %s', async (_what, expression, why) => {
    const answer = await inside(expression());
    expect(answer).toMatch(isJail ? why : /^threw .*(Requires net access|code -|status -|EPERM|EACCES)/);
    expect(visitors).toEqual([]);
  });

  // 14
  it('carries no datagrams', async () => {
    const answer = await inside(`import('node:dgram').then((dgram) => new Promise((yes, no) => {
      dgram.createSocket('udp4').on('error', no).send('x', 53, '8.8.8.8', (error) => (error ? no(error) : yes('LEAK')));
    }))`);
    expect(answer).toMatch(isJail ? /^threw Error: send/ : /Requires net access/);
  });

  // 15
  it('asks no name server for a function, whichever that names', async () => {
    const answer = await inside(`Promise.race([
      Deno.resolveDns('secret-data.example.com', 'A', { nameServer: { ipAddr: '127.0.0.1', port: ${port} } }),
      new Promise((resolve) => setTimeout(resolve, 1_000, 'no answer')),
    ])`);
    expect(answer).toMatch(isJail ? /^no answer$|^threw/ : /Requires net access/);
    expect(visitors).toEqual([]);
  });

  it('answers a resolver of its own too, with stand-ins for what is declared', async () => {
    if (!isJail) return;
    const allowedHosts = ['known.test'];
    const began = performance.now();
    for (const expression of [
      `Deno.resolveDns('known.test', 'A')`,
      `import('node:dns').then((dns) => dns.promises.resolve4('known.test'))`,
    ]) {
      expect(JSON.parse(await used.inside(expression, { allowedHosts }))).toEqual(['127.64.0.1']);
    }
    expect(await used.inside(`Deno.resolveDns('other.test', 'A')`, { allowedHosts })).toMatch(
      /^threw NotFound/,
    );
    expect(await used.inside(`Deno.resolveDns('known.test', 'TXT')`, { allowedHosts })).toMatch(
      /^\[\]$|^threw NotFound/,
    );
    // Each would wait for 8 s and more.
    expect(performance.now() - began).toBeLessThan(8_000);
  });

  // 16
  it.each(['https://esm.sh/x?secret', 'npm:ms', 'jsr:@std/path'])(
    'imports nothing from %s',
    async (specifier) => {
      expect(await inside(`import('${specifier}'.slice(0))`)).toMatch(
        /^threw TypeError: .*(--no-remote|--no-npm|remote)/,
      );
    },
  );

  // 17
  it('between two functions is not to be had by an abstract socket', async () => {
    const listening = `import('node:net').then((net) => new Promise((yes, no) =>
      net.createServer((socket) => socket.end('LEAK')).on('error', no).listen('\\0galley-meeting', () => yes('listens'))))`;
    const connecting = `import('node:net').then((net) => new Promise((yes, no) =>
      net.connect('\\0galley-meeting').on('data', (data) => yes(String(data))).on('error', no)))`;
    const code = `Deno.serve(async () => {
      const attempt = async () => ${listening};
      try { return new Response(await attempt()); } catch (error) { return new Response('threw ' + error.message); }
    });`;
    const listener = await used.start(code);
    expect((await call(listener)).text).toMatch(isJail ? /^listens$/ : /Requires \w+ access/);
    expect(await inside(connecting)).toMatch(isJail ? /ECONNREFUSED/ : /Requires \w+ access/);
    listener.kill('removed');
  });

  // 17, 18
  it('between two functions is not to be had by TCP', async () => {
    const listener = await used.start(
      `import net from 'node:net';
       Deno.serve(() => new Promise((resolve) => {
         const server = net.createServer((socket) => socket.end('LEAK'));
         const tell = () => resolve(new Response(String(server.address()?.port ?? 0)));
         try { server.on('error', tell).listen(0, tell); } catch { tell(); }
       }));`,
    );
    const meeting = Number((await call(listener)).text);
    expect(meeting > 0).toBe(isJail);
    expect(
      await used.inside(
        `Deno.connect({ port: ${meeting || 1} }).then(async (connection) => {
          const bytes = new Uint8Array(9);
          const length = await connection.read(bytes);
          return 'read ' + new TextDecoder().decode(bytes.subarray(0, length ?? 0));
        })`,
        { allowedHosts: isJail ? [`127.0.0.1:${meeting}`] : [] },
      ),
    ).toMatch(isJail ? /^threw ConnectionReset/ : /Requires net access/);
    listener.kill('removed');
  });

  // 18
  it.each(['/run/docker.sock', '/var/run/dbus/system_bus_socket', '/tmp/.s.PGSQL.5432'])(
    'does not lead to the socket %s',
    async (path) => {
      const connecting = `Deno.connect({ transport: 'unix', path: '${path}' }).then(() => 'LEAK')`;
      expect(await inside(connecting)).toMatch(
        isJail ? /Requires read access|NotFound/ : /Requires read access/,
      );
    },
  );

  it('ends with its function: a host that never answers keeps nothing', async () => {
    if (!isJail) return;
    const arriving = once(declared, 'connection') as Promise<[Socket]>;
    const instance = await used.start(
      `Deno.serve(() => { void fetch('http://127.0.0.1:${declaredPort}/never'); return new Response(); });`,
      { allowedHosts: [`127.0.0.1:${declaredPort}`] },
    );
    await call(instance);
    const [socket] = await arriving;
    const closed = once(
      socket.on('error', () => {}),
      'close',
    );
    instance.kill('removed');
    await closed;
  });
});

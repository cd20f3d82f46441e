import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DenoRuntime } from '../../libs/functions/src/runtime/deno-runtime.js';
import { newPlaceholder } from '../../libs/functions/src/runtime/egress/egress-secrets.js';
import type { InstanceSpec } from '../../libs/functions/src/runtime/function-runtime.js';
import { answering, arrangements } from './hostile-support.js';
import { call, scratchDataDir, specFor } from './runtime-support.js';
import { useSecretHosts } from './secret-hosts.js';

const value = 'sk_live_51-$&/"quoted" ä';
const placeholder = newPlaceholder();

/** What a host may do with a request. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { authorization, 'x-key': key, host } = request.headers;
  if (request.url === '/stream') {
    request.once('data', () => response.write('first'));
    request.on('end', () => response.end('last'));
  } else if (request.url === '/digest') {
    const hash = createHash('sha256');
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    request.on('end', () => response.end(`${bytes} ${hash.digest('hex')}`));
  } else if (request.url === '/large') {
    response.setHeader('content-length', 8 * 1024 * 1024);
    response.end(Buffer.alloc(8 * 1024 * 1024, 'x'));
  } else if (request.url === '/refuse') {
    response.writeHead(413).end('too large');
  } else {
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.end(JSON.stringify({ authorization, key, host, port: request.socket.remotePort }));
  }
}

// What is put into requests passes through the walls of a jail; without those it is refused.
(arrangements.includes('jail') ? describe : describe.skip)('secrets put into requests', () => {
  const hosts = useSecretHosts(answer);
  const dataDir = scratchDataDir();
  let runtime: DenoRuntime;
  beforeAll(async () => {
    runtime = await DenoRuntime.open({
      dataDir: dataDir.path,
      privateHosts: ['localhost', '127.0.0.1'],
      extraAuthorities: hosts.authority,
      warmProcesses: 1,
    });
    await runtime.prepare({ port: 9 });
  });
  afterAll(async () => {
    await runtime.close();
    dataDir.remove();
  });
  beforeEach(() => void hosts.arrived.splice(0));

  function spec(code: string, options: Partial<InstanceSpec> = {}) {
    const used = [hosts.plain, hosts.tls, hosts.unknown, hosts.misnamed].map((port) => `localhost:${port}`);
    return specFor(code, {
      env: { KEY: placeholder },
      allowedHosts: [...used, `localhost:${hosts.other}`],
      egressSecrets: [{ name: 'KEY', placeholder, value, hosts: used }],
      ...options,
    });
  }
  async function inside(expression: string, options: Partial<InstanceSpec> = {}): Promise<string> {
    const instance = await runtime.start(spec(answering(expression), options));
    try {
      return (await call(instance)).text;
    } finally {
      instance.kill('removed');
    }
  }
  const asked = (port: number, more = '') =>
    `fetch('${port === hosts.plain || port === hosts.other ? 'http' : 'https'}://localhost:${port}/',
      { headers: { authorization: 'Bearer ' + Deno.env.get('KEY') ${more} } }).then((response) => response.json())`;

  it('are placeholders in the function', async () => {
    expect(await inside(`Deno.env.get('KEY')`)).toBe(placeholder);
  });

  it.each(['plain', 'tls'] as const)('arrive at their host over %s', async (which) => {
    const port = hosts[which];
    expect(JSON.parse(await inside(asked(port)))).toMatchObject({
      authorization: `Bearer ${value}`,
      host: `localhost:${port}`,
    });
  });

  it('arrive in any header, and within Basic credentials', async () => {
    const answered = await inside(
      `fetch('https://localhost:${hosts.tls}/', { headers: {
        'x-key': Deno.env.get('KEY') + ',' + Deno.env.get('KEY'),
        authorization: 'Basic ' + btoa('user:' + Deno.env.get('KEY')),
      } }).then((response) => response.json())`,
    );
    expect(JSON.parse(answered)).toMatchObject({
      key: `${value},${value}`,
      authorization: `Basic ${Buffer.from(`user:${value}`, 'latin1').toString('base64')}`,
    });
  });

  it.each([
    [
      'node:https',
      () => `import('node:https').then((https) => new Promise((yes, no) => https.get('https://localhost:${hosts.tls}/',
        { headers: { 'x-key': process.env.KEY } }, (response) => response.on('data', (data) => yes(String(data)))).on('error', no)))`,
    ],
    [
      'Deno.connectTls',
      () => `Deno.connectTls({ hostname: 'localhost', port: ${hosts.tls} }).then(async (connection) => {
        await connection.write(new TextEncoder().encode('GET / HTTP/1.1\\r\\nHost: localhost\\r\\nX-Key: ' + Deno.env.get('KEY') + '\\r\\nConnection: close\\r\\n\\r\\n'));
        const text = await new Response(connection.readable).text();
        return text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1);
      })`,
    ],
  ])('are put in for %s too', async (_what, expression) => {
    expect(JSON.parse(await inside(expression()))).toMatchObject({ key: value });
  });

  it('do not arrive at another allowed host', async () => {
    expect(JSON.parse(await inside(asked(hosts.other)))).toMatchObject({
      authorization: `Bearer ${placeholder}`,
    });
  });

  it('are no secrets of a function that was given another placeholder', async () => {
    const other = { name: 'KEY', placeholder: newPlaceholder(), value, hosts: [`localhost:${hosts.plain}`] };
    const answered = await inside(asked(hosts.plain), { egressSecrets: [other] });
    expect(JSON.parse(answered)).toMatchObject({ authorization: `Bearer ${placeholder}` });
  });

  it.each(['unknown', 'misnamed'] as const)(
    'are not sent to a host whose certificate is %s, which is said',
    async (which) => {
      const port = hosts[which];
      const told = spec(
        answering(`fetch('https://localhost:${port}/', { headers: { 'x-key': Deno.env.get('KEY') } })
          .then(async (response) => response.status + await response.text())`),
      );
      const instance = await runtime.start(told);
      const { text } = await call(instance);
      expect(text).toMatch(
        new RegExp(
          `^502{"code":"certificate_not_accepted","message":"The certificate of localhost:${port} was`,
        ),
      );
      expect(hosts.arrived).toEqual([]);
      expect(told.logs.map(({ message }) => message)).toEqual([
        expect.stringMatching(
          `^A connection to localhost:${port} was refused: its certificate was not accepted \\([A-Z_]+\\)\\.$`,
        ),
      ]);
      instance.kill('removed');
    },
  );

  it('of two requests pass over one connection', async () => {
    const answered = await inside(`(async () => {
      const first = await ${asked(hosts.tls)};
      const second = await ${asked(hosts.tls)};
      return [first.port === second.port, second.authorization];
    })()`);
    expect(JSON.parse(answered)).toEqual([true, `Bearer ${value}`]);
  });

  it('leave repeated headers of an answer as they are', async () => {
    const answered = await inside(
      `fetch('https://localhost:${hosts.tls}/').then((response) => response.headers.getSetCookie())`,
    );
    expect(JSON.parse(answered)).toEqual(['a=1', 'b=2']);
  });

  it('pass beside bodies that stream both ways', async () => {
    const answered = await inside(`(async () => {
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      void writer.write(new TextEncoder().encode('x'));
      const response = await fetch('https://localhost:${hosts.tls}/stream', { method: 'POST', body: readable });
      const reader = response.body.getReader();
      const first = new TextDecoder().decode((await reader.read()).value);
      void writer.close();
      const last = new TextDecoder().decode((await reader.read()).value);
      return [first, last];
    })()`);
    expect(JSON.parse(answered)).toEqual(['first', 'last']);
  });

  it.each(['plain', 'tls'] as const)('pass beside large bodies over %s, which are counted', async (which) => {
    const before = runtime.egress();
    const url = `${which === 'tls' ? 'https' : 'http'}://localhost:${hosts[which]}`;
    const answered = await inside(`(async () => {
      const sent = await fetch('${url}/digest', { method: 'PUT', body: new Uint8Array(8 * 1024 * 1024).fill(7) });
      const received = await fetch('${url}/large');
      return (await sent.text()) + ' ' + (await received.arrayBuffer()).byteLength;
    })()`);
    const size = 8 * 1024 * 1024;
    const digest = createHash('sha256').update(Buffer.alloc(size, 7)).digest('hex');
    expect(answered).toBe(`${size} ${digest} ${size}`);
    while (runtime.egress().receivedBytes < before.receivedBytes + size) await new Promise(setImmediate);
    expect(runtime.egress().sentBytes).toBeGreaterThan(before.sentBytes + size);
  });

  it('of a WebSocket are in its request, and its bytes are left alone', async () => {
    const answered = await inside(`import('node:http').then((http) => new Promise((yes, no) => {
      const request = http.get('http://localhost:${hosts.plain}/socket', {
        headers: { connection: 'Upgrade', upgrade: 'websocket', 'x-key': Deno.env.get('KEY') } });
      request.on('error', no).on('response', (response) => yes('answered ' + response.statusCode));
      request.on('upgrade', (response, socket) => {
        socket.on('data', (data) => yes(response.headers['x-was'] + ' ' + data)).write(Deno.env.get('KEY'));
      });
    }))`);
    expect(answered).toBe(`${value.length} ${placeholder}`);
  });

  it('pass on the host’s word that it wants the body', async () => {
    const answered = await inside(`import('node:http').then((http) => new Promise((yes, no) => {
      const request = http.request('http://localhost:${hosts.plain}/digest', {
        method: 'POST', headers: { expect: '100-continue', 'content-length': 4 } });
      let continued = 0;
      request.on('error', no).on('continue', () => { continued += 1; request.end('body'); });
      request.on('response', (response) => response.on('data', (data) => yes(continued + ' ' + data)));
      request.flushHeaders();
    }))`);
    expect(answered).toBe(`1 4 ${createHash('sha256').update('body').digest('hex')}`);
  });

  it('do not keep an early answer from arriving, nor a request without a body from being one', async () => {
    const early = `fetch('https://localhost:${hosts.tls}/refuse', { method: 'POST', body: new Uint8Array(100) })
      .then(async (response) => response.status + (await response.text()))`;
    expect(await inside(early)).toBe('413too large');
    await inside(
      `fetch('https://localhost:${hosts.tls}/', { method: 'POST' }).then((response) => response.text())`,
    );
    expect(hosts.arrived.at(-1)).toMatch(/content-length\n0/i);
  });
});

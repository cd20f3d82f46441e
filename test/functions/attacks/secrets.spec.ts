import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { DenoRuntime } from '../../../libs/functions/src/runtime/deno-runtime.js';
import { newPlaceholder } from '../../../libs/functions/src/runtime/egress/egress-secrets.js';
import type { FunctionInstance } from '../../../libs/functions/src/runtime/function-runtime.js';
import { runtimeLimits as limits } from '../../../libs/functions/src/runtime/runtime-limits.js';
import { answering, arrangements } from '../hostile-support.js';
import { call, scratchDataDir, specFor } from '../runtime-support.js';
import { useSecretHosts } from '../secret-hosts.js';

const value = 'the-value-itself';
const placeholder = newPlaceholder();
const long = { name: 'LONG', placeholder: newPlaceholder(), value: 'long'.repeat(1000) };

function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/never') return void response.write('x');
  request.resume().on('end', () => response.end('answered'));
  if (request.url !== '/hostile') return;
  // A host may itself be hostile: what it answers must not end the platform.
  request.socket.end('HTTP/1.1 200 OK\r\nX-A: b\x01c\r\nContent-Length: 1\r\n\r\nx');
}

(arrangements.includes('jail') ? describe : describe.skip)('a secret that the function does not hold', () => {
  const hosts = useSecretHosts(answer);
  const dataDir = scratchDataDir();
  let runtime: DenoRuntime;
  let running: FunctionInstance | undefined;
  beforeAll(async () => {
    runtime = await DenoRuntime.open({
      dataDir: dataDir.path,
      privateHosts: ['localhost', '127.0.0.1'],
      extraAuthorities: hosts.authority,
    });
  });
  afterAll(async () => {
    await runtime.close();
    dataDir.remove();
  });
  beforeEach(() => void hosts.arrived.splice(0));

  async function inside(expression: string): Promise<string> {
    const used = [`localhost:${hosts.plain}`, `localhost:${hosts.tls}`];
    const spec = specFor(answering(expression), {
      env: { KEY: placeholder, LONG: long.placeholder },
      allowedHosts: [...used, `localhost:${hosts.other}`],
      egressSecrets: [
        { name: 'KEY', placeholder, value, hosts: used },
        { ...long, hosts: used },
      ],
    });
    const instance = await runtime.start(spec);
    running = instance;
    const { text } = await call(instance);
    instance.kill('removed');
    expect(text + JSON.stringify(spec.logs)).not.toContain(value);
    return text;
  }

  /** Writes `text`, in which KEY and LONG stand for the placeholders, to a connection of its own. @returns what comes back */
  const say = (text: string, connection = `Deno.connect({ hostname: 'localhost', port: ${hosts.plain} })`) =>
    inside(`(async () => {
      const connection = await ${connection};
      await connection.write(new TextEncoder().encode(${JSON.stringify(text)}.replace(/KEY|LONG/g, (name) => Deno.env.get(name))));
      return new Response(connection.readable).text();
    })()`);
  const host = () => `Host: localhost:${hosts.plain}\r\n`;
  const end = 'Connection: close\r\n\r\n';

  it('arrives when it is used as it should be, so that what follows would', async () => {
    expect(await say(`GET / HTTP/1.1\r\n${host()}X-Key: KEY\r\n${end}`)).toMatch(/^HTTP\/1.1 200 /);
    expect(hosts.arrived).toEqual([expect.stringContaining(`X-Key\n${value}`)]);
  });

  it.each([
    ['another Host', () => `GET / HTTP/1.1\r\nHost: other.test\r\nX-Key: KEY\r\n${end}`, 421],
    ['another port in Host', () => `GET / HTTP/1.1\r\nHost: localhost:1\r\nX-Key: KEY\r\n${end}`, 421],
    ['two Hosts', () => `GET / HTTP/1.1\r\n${host()}Host: other.test\r\nX-Key: KEY\r\n${end}`, 421],
    ['no Host', () => `GET / HTTP/1.0\r\nX-Key: KEY\r\n${end}`, 421],
    ['an absolute target', () => `GET http://other.test/ HTTP/1.1\r\n${host()}X-Key: KEY\r\n${end}`, 400],
    ['CONNECT', () => `CONNECT other.test:443 HTTP/1.1\r\n${host()}X-Key: KEY\r\n${end}`, null],
    ['TRACE, which sends headers back', () => `TRACE / HTTP/1.1\r\n${host()}X-Key: KEY\r\n${end}`, 405],
    ['the placeholder in the URL', () => `GET /?key=KEY HTTP/1.1\r\n${host()}${end}`, 400],
    [
      'two lengths',
      () => `POST / HTTP/1.1\r\n${host()}X-Key: KEY\r\nContent-Length: 5\r\nContent-Length: 0\r\n${end}`,
      400,
    ],
    [
      'a length and chunks',
      () =>
        `POST / HTTP/1.1\r\n${host()}X-Key: KEY\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n${end}0\r\n\r\n`,
      400,
    ],
    [
      'chunks by another name',
      () => `POST / HTTP/1.1\r\n${host()}X-Key: KEY\r\nTransfer-Encoding: xchunked\r\n${end}0\r\n\r\n`,
      400,
    ],
    ['lines without a return', () => `GET / HTTP/1.1\n${host()}X-Key: KEY\n\n`, 400],
    ['a space before the colon', () => `GET / HTTP/1.1\r\n${host()}X-Key : KEY\r\n${end}`, 400],
    ['HTTP/2', () => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, 400],
  ])('goes nowhere with %s', async (_what, text, status) => {
    expect(await say(text())).toMatch(status === null ? /^$/ : new RegExp(`^HTTP/1.1 ${status} `));
    expect(hosts.arrived).toEqual([]);
  });

  it('is not in a body', async () => {
    const text = `POST /hostile HTTP/1.1\r\n${host()}Content-Length: ${placeholder.length}\r\n${end}KEY`;
    await say(text);
    expect(hosts.arrived.join()).not.toContain(value);
  });

  it('does not follow to a host that TLS or the header names', async () => {
    const connection = `Deno.connect({ hostname: 'localhost', port: ${hosts.tls} })
      .then((plain) => Deno.startTls(plain, { hostname: 'other.test' }))`;
    expect(await say(`GET / HTTP/1.1\r\nHost: other.test\r\nX-Key: KEY\r\n${end}`, connection)).toMatch(
      /certificate/,
    );
    const unverified = `import('node:tls').then((tls) => new Promise((yes, no) => {
      let text = '';
      const socket = tls.connect({ host: 'localhost', port: ${hosts.tls}, servername: 'other.test', rejectUnauthorized: false });
      socket.on('error', no).on('data', (data) => (text += data)).on('end', () => yes(text));
      socket.write('GET / HTTP/1.1\\r\\nHost: other.test\\r\\nX-Key: ' + Deno.env.get('KEY') + '\\r\\nConnection: close\\r\\n\\r\\n');
    }))`;
    expect(await inside(unverified)).toMatch(/^HTTP\/1.1 421 /);
    expect(hosts.arrived).toEqual([]);
  });

  it('is not put in again and again until the platform has no memory', async () => {
    const times = (count: number) => `GET / HTTP/1.1\r\n${host()}X-Key: ${'LONG'.repeat(count)}\r\n${end}`;
    expect(await say(times(1))).toMatch(/^HTTP\/1.1 200 /);
    expect(hosts.arrived.join()).toContain(long.value);
    expect(await say(times(Math.ceil(limits.egressHeaderBytes / long.value.length)))).toMatch(
      /^HTTP\/1.1 431 [^]*headers_too_large/,
    );
  });

  it('is not asked for by more requests at once than the platform remembers', async () => {
    const one = `GET / HTTP/1.1\r\n${host()}X-Key: KEY\r\n\r\n`;
    await say(one.repeat(limits.egressRequestsAhead + 1));
    expect(hosts.arrived.length).toBeLessThanOrEqual(limits.egressRequestsAhead);
  });

  it('is not worth breaking the platform for: a hostile host and function gain nothing', async () => {
    await say(`POST /hostile HTTP/1.1\r\n${host()}Expect: 100-continue\r\nContent-Length: 9\r\n${end}`);
    await say(`GET /hostile HTTP/1.1\r\n${host()}Upgrade: x\r\nConnection: upgrade\r\n\r\nabc`);
    const request = `GET / HTTP/1.1\r\n${host()}`;
    await say(`${request}\r\n${request}Upgrade: x\r\nConnection: upgrade\r\n\r\nabc`);
    expect(await say(request + end)).toMatch(/answered$/);
  });

  it.each(['plain', 'tls'] as const)(
    'is used on no %s connection that outlives the function',
    async (which) => {
      const isTls = which === 'tls';
      const arriving = once(hosts.servers[isTls ? 2 : 0]!, isTls ? 'secureConnection' : 'connection');
      const leaving = inside(
        `fetch('http${isTls ? 's' : ''}://localhost:${hosts[which]}/never').then((response) => response.text())`,
      ).catch(() => 'gone');
      const [socket] = (await arriving) as [Socket];
      // `once` of node:events would fail with the error that may come before.
      const closed = new Promise((resolve) => socket.on('error', () => {}).once('close', resolve));
      running!.kill('removed');
      await closed;
      expect(await leaving).toBe('gone');
    },
  );

  it('is told by nothing that the function can read', async () => {
    const everywhere = `Promise.all([
      JSON.stringify([Deno.env.toObject(), process.argv, Deno.args]),
      ...['/proc/self/environ', '/i/run/s.sock', '/galley/loader/loader.js'].map((path) =>
        Deno.readTextFile(path).catch(String)),
    ])`;
    expect(await inside(everywhere)).toContain(placeholder);
  });
});

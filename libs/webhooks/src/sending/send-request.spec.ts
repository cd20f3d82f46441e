import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { limits } from '../limits.js';
import { SendRequest } from './send-request.js';

const howToAllow = 'the operator can allow it with GALLEY_PRIVATE_HOSTS';
let server: Server;
let port: number;
let reached: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  server = createServer((request, response) => {
    reached.push(request);
    answer(request, response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  reached = [];
  answer = (_request, response) => response.end('well');
});

/** @param addresses of every name */
const sender = (privateHosts: string[] = [`127.0.0.1:${port}`], addresses: string[] = []) =>
  new SendRequest(privateHosts, async () => addresses);
const send = (
  by: SendRequest,
  url: string,
  change: Partial<Parameters<SendRequest['send']>[0]> = {},
  signal = new AbortController().signal,
) => {
  const request = { method: 'POST', headers: {}, body: Buffer.from('{}'), timeoutMs: 2_000 };
  return by.send({ ...request, url: new URL(url), ...change }, signal);
};

describe('a request to a URL', () => {
  it('is sent as it is, over a connection of its own', async () => {
    const body = Buffer.from([0, 255]);
    const headers = { 'x-mine': 'yes', host: 'other.test', 'content-length': '99', connection: 'keep-alive' };
    const url = `http://127.0.0.1:${port}/a%20b?x=1#not-this`;
    expect(await send(sender(), url, { body, headers })).toMatchObject({
      status: 200,
      beginning: Buffer.from('well'),
    });
    expect(reached[0]).toMatchObject({
      method: 'POST',
      url: '/a%20b?x=1',
      headers: { 'x-mine': 'yes', host: `127.0.0.1:${port}`, 'content-length': '2', connection: 'close' },
    });
  });

  it('shows the user and password that the URL holds, as curl does', async () => {
    await send(sender(), `http://me:pass%40word@127.0.0.1:${port}/`);
    const shown = Buffer.from('me:pass@word').toString('base64');
    expect(reached[0]).toMatchObject({ url: '/', headers: { authorization: `Basic ${shown}` } });
  });

  it.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f.0.0.1/',
    'http://0177.0.0.1/',
    'http://0/',
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.5/',
    'http://192.168.0.1:8080/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[fd00:ec2::254]/',
    'http://[fe80::1]/',
    'http://[64:ff9b::7f00:1]/',
    'https://127.0.0.1/',
  ])('is refused when that is %s', async (url) => {
    await expect(send(sender(), url)).rejects.toMatchObject({
      code: 'address_refused',
      message: expect.stringContaining(howToAllow),
    });
    expect(reached).toEqual([]);
  });

  it.each([
    ['loopback', ['127.0.0.1']],
    ['IPv4 in IPv6', ['::ffff:127.0.0.1']],
    ['where clouds keep credentials', ['169.254.169.254']],
    ['a private network', ['10.0.0.5']],
    ['one public address and one that is not', ['93.184.216.34', '127.0.0.1']],
  ])('is refused when its name leads to %s', async (_what, addresses) => {
    const url = `http://evil.test:${port}/`;
    await expect(send(sender([], addresses), url)).rejects.toMatchObject({ code: 'address_refused' });
    expect(reached).toEqual([]);
  });

  it('dials the address that was checked: a name that changes meanwhile gains nothing', async () => {
    const asked: string[] = [];
    const by = new SendRequest([], async (name) => {
      asked.push(name);
      return asked.length === 1 ? ['93.184.216.34'] : ['127.0.0.1'];
    });
    // What is dialled is far away; that it is not this host is all that counts.
    await expect(send(by, `http://flips.test:${port}/`, { timeoutMs: 150 })).rejects.toBeDefined();
    expect(asked).toEqual(['flips.test']);
    expect(reached).toEqual([]);
  });

  it('goes to a name that the operator vouches for, and to no other port of it', async () => {
    expect((await send(sender([`localhost:${port}`]), `http://localhost:${port}/`)).status).toBe(200);
    expect(reached[0]!.headers.host).toBe(`localhost:${port}`);
    await expect(send(sender([`127.0.0.1:${port + 1}`]), `http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: 'address_refused',
    });
  });

  it('fails where a name has no address, and where nobody answers', async () => {
    await expect(send(sender(), 'http://nowhere.test/')).rejects.toMatchObject({ code: 'no_address' });
    await expect(send(sender(['127.0.0.1']), 'http://127.0.0.1:1/')).rejects.toMatchObject({
      code: 'not_reached',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('follows no redirect', async () => {
    answer = (_request, response) => response.writeHead(302, { location: '/secret' }).end();
    expect(await send(sender(), `http://127.0.0.1:${port}/`)).toMatchObject({ status: 302 });
    expect(reached.map(({ url }) => url)).toEqual(['/']);
  });

  it('reads so much of an endless answer, and cuts off the rest', async () => {
    answer = (_request, response) => {
      const write = () => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      };
      response.on('drain', write);
      write();
    };
    const { status, beginning } = await send(sender(), `http://127.0.0.1:${port}/`);
    expect([status, beginning.length]).toEqual([200, limits.answerBytes]);
    const { socket } = reached[0]!;
    if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  });

  it('waits so long for an answer, its body included, and takes the status of one that began in time', async () => {
    answer = () => {};
    await expect(send(sender(), `http://127.0.0.1:${port}/`, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'timeout',
      message: 'No answer came within 100 ms',
    });
    answer = (_request, response) => void response.write('beg');
    const begun = await send(sender(), `http://127.0.0.1:${port}/`, { timeoutMs: 200 });
    expect(begun).toMatchObject({ status: 200, beginning: Buffer.from('beg') });
  });

  it('gives up a name server that is as slow', async () => {
    const by = new SendRequest([], () => new Promise(() => {}));
    const sending = send(by, 'http://slow.test/', { timeoutMs: 50 });
    await expect(sending).rejects.toMatchObject({ code: 'timeout' });
  });

  it('ends when nobody wants it any more', async () => {
    const stop = new AbortController();
    answer = () => stop.abort();
    const sending = send(sender(), `http://127.0.0.1:${port}/`, {}, stop.signal);
    await expect(sending).rejects.toMatchObject({ code: 'not_reached' });
  });

  it('fails when what answers does not speak HTTP', async () => {
    answer = (request) => request.socket.end('SSH-2.0-OpenSSH\r\n');
    await expect(send(sender(), `http://127.0.0.1:${port}/`)).rejects.toMatchObject({ code: 'not_reached' });
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { CertificateAuthority } from './certificate-authority.js';
import { newPlaceholder, withSecrets } from './egress-secrets.js';
import { SecretRelay } from './secret-relay.js';
import { VerifiedTls } from './verified-tls.js';

const secret = { name: 'KEY', placeholder: newPlaceholder(), value: "$& $1 $' x", hosts: ['known.test:443'] };

describe('what is put into a header', () => {
  it.each([
    ['', ''],
    [`Bearer ${secret.placeholder}`, `Bearer ${secret.value}`],
    [`${secret.placeholder}${secret.placeholder}`, `${secret.value}${secret.value}`],
    [`Basic ${btoa(`u:${secret.placeholder}`)}`, `Basic ${btoa(`u:${secret.value}`)}`],
    [`basic  ${btoa(secret.placeholder)}`, `basic  ${btoa(secret.value)}`],
    // As it was written, though it could be written otherwise.
    ['Basic dTpwYQ', 'Basic dTpwYQ'],
    [`Basic ${secret.placeholder}`, `Basic ${secret.value}`],
    [secret.placeholder.slice(0, -1), secret.placeholder.slice(0, -1)],
    [secret.placeholder.toUpperCase(), secret.placeholder.toUpperCase()],
  ])('of %j is %j', (text, filled) => {
    expect(withSecrets(text, [secret])).toBe(filled);
  });
});

describe('a relay', () => {
  let door: Server;
  let host: Server;
  const sockets: Socket[] = [];
  const arrived: string[] = [];
  beforeEach(async () => {
    arrived.length = 0;
    door = createServer({ allowHalfOpen: true });
    host = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      socket.on('data', (chunk) => {
        arrived.push(chunk.toString());
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    });
    await once(door.listen(0, '127.0.0.1'), 'listening');
    await once(host.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    door.close();
    host.close();
  });

  /** What comes back on a connection to `known.test:port` until it ends. */
  async function say(text: string, port: number, leaves = false): Promise<string> {
    const relay = new SecretRelay(await CertificateAuthority.create(), new VerifiedTls(''));
    const function_ = connect((door.address() as AddressInfo).port, '127.0.0.1');
    const peer = connect((host.address() as AddressInfo).port, '127.0.0.1');
    sockets.push(function_, peer);
    const [[inside]] = await Promise.all([
      once(door, 'connection') as Promise<[Socket]>,
      once(peer, 'connect'),
    ]);
    const ended = once(
      peer.on('error', () => {}),
      'close',
    );
    await Promise.all([
      relay.join(
        inside.on('error', () => {}),
        peer,
        { host: 'known.test', port, secrets: [secret], onUnverified() {} },
      ),
      leaves ? function_.end(text) : function_.write(text),
    ]);
    let answered = '';
    function_.on('data', (chunk) => (answered += chunk.toString()));
    await Promise.all([once(function_, 'close'), ended]);
    return answered;
  }
  const request = `GET / HTTP/1.1\r\nHost: known.test\r\nX-Key: ${secret.placeholder}\r\nConnection: close\r\n\r\n`;

  it('puts secrets in, in the clear where a port for that is declared', async () => {
    expect(await say(request, 80)).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\nok$/);
    expect(arrived).toEqual([expect.stringContaining(`X-Key: ${secret.value}\r\n`)]);
  });

  // RFC 9110 §7.6.1: what Connection names is taken away by whoever passes the request on.
  it.each(['content-length', 'host', 'close, x-key', 'transfer-encoding'])(
    'passes no request on whose Connection names %s, by which it would end elsewhere for the host',
    async (named) => {
      const inner = 'POST /store HTTP/1.1\r\nHost: other.test\r\nContent-Length: 300\r\n\r\n';
      const head = `GET / HTTP/1.1\r\nHost: known.test\r\nConnection: ${named}\r\n`;
      const answer = await say(`${head}Content-Length: ${inner.length}\r\n\r\n${inner}`, 80);
      expect(answer).toMatch(/^HTTP\/1.1 400 [^]*invalid_connection/);
      expect(arrived.join('')).toBe('');
    },
  );

  it('tells the host how long the body of a GET is', async () => {
    const head = 'GET / HTTP/1.1\r\nHost: known.test\r\nConnection: close\r\n';
    await say(`${head}Content-Length: 4\r\n\r\nbody`, 80);
    expect(arrived.join('')).toMatch(/\r\nContent-Length: 4\r\n[^]*\r\n\r\nbody$/);
  });

  it('passes on no request to upgrade that has a body', async () => {
    const head = 'GET / HTTP/1.1\r\nHost: known.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
    expect(await say(`${head}Content-Length: 4\r\n\r\nbody`, 80)).toMatch(/^HTTP\/1.1 400 /);
    expect(arrived.join('')).toBe('');
  });

  it('sends nothing in the clear to port 443', async () => {
    expect(await say(request, 443)).toBe('');
    expect(arrived).toEqual([]);
  });

  it('ends the connection of a function that says nothing and leaves', async () => {
    expect(await say('', 80, true)).toBe('');
    expect(arrived).toEqual([]);
  });
});

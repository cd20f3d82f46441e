import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthModule } from '#libs/auth';
import { FunctionsHttpModule } from '#libs/functions';
import { UnsupportedModule } from '../../apps/server/src/features.js';
import { eventually } from '../support/eventually.js';
import { startTestServer, type TestServer } from '../support/server.js';

describe('the front door', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [AuthModule, FunctionsHttpModule, UnsupportedModule] });
  });
  afterAll(() => server.close());

  const post = (path: string, body: string, key?: string) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
      body,
    });

  it('answers an unknown path with a clear 404 and a request id', async () => {
    const response = await fetch(`${server.url}/nowhere?x=1`);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ code: 'not_found', message: 'There is no GET /nowhere' });
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('keeps a plain request id that the client sent and replaces any other', async () => {
    const kept = await fetch(`${server.url}/nowhere`, { headers: { 'x-request-id': 'trace-1' } });
    expect(kept.headers.get('x-request-id')).toBe('trace-1');
    const replaced = await fetch(`${server.url}/nowhere`, { headers: { 'x-request-id': 'a b<script>' } });
    expect(replaced.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    ['/auth/v1/signup', { msg: expect.any(String), error_code: 'bad_json' }],
    ['/v1/projects/local/secrets', { code: 'invalid_json', message: expect.any(String) }],
  ])('answers a broken body under %s in the shape of its service', async (path, shape) => {
    const response = await post(path, '{"broken', server.keys.secretKey);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject(shape);
  });

  it.each(['/rest/v1/%zz', '/auth/v1/%zz', '/storage/v1/%zz', '/%zz'])(
    'answers the URL %s, which cannot be decoded, as any other',
    async (path) => {
      const response = await fetch(server.url + path, { headers: { origin: 'https://app.example.com' } });
      expect(response.status).toBe(400);
      expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      expect(JSON.stringify(await response.json())).toContain('not a valid url');
    },
  );

  it('says that realtime is not there yet, to a WebSocket too', async () => {
    const plain = await fetch(`${server.url}/realtime/v1/api/broadcast`, { method: 'POST' });
    expect([plain.status, await plain.json()]).toEqual([
      501,
      { code: 'not_supported', message: 'Realtime is not there yet' },
    ]);
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write(
      'GET /realtime/v1/websocket HTTP/1.1\r\nHost: galley\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 501 /);
  });

  it('knows a service by its plain name only', async () => {
    const response = await fetch(`${server.url}/re%73t/v1/t`);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ code: 'not_found', message: 'There is no GET /re%73t/v1/t' });
  });

  it('answers an unknown path of the data API as PostgREST does, and of storage as storage does', async () => {
    const rest = await (await fetch(`${server.url}/rest/v2/x`)).json();
    expect(rest).toHaveProperty('message');
    const storage = await (await fetch(`${server.url}/storage/v1/nothing`)).json();
    expect(storage).toMatchObject({ statusCode: '404', message: expect.any(String) });
  });

  it('lets a page of any origin call with its key', async () => {
    const response = await fetch(`${server.url}/rest/v1/x`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example.com',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'apikey,authorization',
      },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('access-control-allow-headers')).toBe('apikey,authorization');
  });

  const long = JSON.stringify({ email: 'x'.repeat(1024 * 1024) });

  it('refuses a body beyond the limit while it arrives', async () => {
    const response = await post('/auth/v1/signup', long, server.keys.publishableKey);
    expect(response.status).toBe(413);
  });

  it.each([
    ['a JSON body that is too long', '/auth/v1/signup', 413],
    ['a form that no function reads', '/functions/v1/nobody', 404],
    ['a body without a key', '/v1/projects/local/secrets', 403],
  ])('answers the next request on a connection after %s', async (_, path, status) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    const body = 'x'.repeat(3 * 1024 * 1024);
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: galley\r\napikey: ${server.keys.publishableKey}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
        'GET /nowhere HTTP/1.1\r\nHost: galley\r\n\r\n',
    );
    await eventually(() => received.includes('There is no GET /nowhere'), { what: 'the second answer' });
    expect(received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    socket.destroy();
  });

  it('asks for a key before it looks at a body', async () => {
    expect((await post('/auth/v1/signup', long)).status).toBe(401);
    expect((await post('/v1/projects/local/secrets', long, server.keys.publishableKey)).status).toBe(403);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestServer, type TestServer } from '../support/server.js';

describe('the front door', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [] });
  });
  afterAll(() => server.close());

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
    ['/auth/v1/token?grant_type=password', { msg: expect.any(String), error_code: 'bad_json' }],
    ['/v1/projects/local/nothing', { code: 'invalid_json', message: expect.any(String) }],
  ])('answers a broken body under %s in the shape of its service', async (path, shape) => {
    const response = await fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"broken',
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject(shape);
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

  it('refuses a body beyond the limit while it arrives', async () => {
    const response = await fetch(`${server.url}/v1/anything`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: 'x'.repeat(1024 * 1024) }),
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 'body_too_large' });
  });
});

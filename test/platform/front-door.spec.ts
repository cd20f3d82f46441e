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
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { DataModule } from '#libs/data';
import { FunctionsHttpModule } from '#libs/functions';
import { StorageModule } from '#libs/storage';
import { ManagementModule } from '../../apps/server/src/features.js';
import { startTestServer, type TestServer } from '../support/server.js';

/** RFC 9112 §3.2.2: a proxy names the origin in the request line. */
describe('a request target with an origin', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({
      modules: [DataModule, StorageModule, FunctionsHttpModule, ManagementModule],
    });
    await server.project.database.query(`
      create table notes (id int primary key);
      insert into notes values (1), (2);`);
  });
  afterAll(() => server.close());

  const ask = (target: string, headers: Record<string, string>, method = 'GET') =>
    new Promise<{ status: number; allowed: unknown; body: string }>((resolve, reject) => {
      const { hostname: host, port } = new URL(server.url);
      request({ host, port, path: target, method, headers })
        .on('error', reject)
        .on('response', async (response) => {
          const allowed = response.headers['access-control-allow-origin'];
          resolve({ status: response.statusCode!, allowed, body: await text(response) });
        })
        .end();
    });

  it.each([
    ['GET', '/rest/v1/notes?id=eq.2', 200],
    ['GET', '/rest/v1/nothing', 404],
    ['GET', '/re%73t/v1/notes', 404],
    ['GET', '/rest/v1/%zz', 400],
    ['OPTIONS', '/rest/v1/notes', 200],
    ['GET', '/storage/v1/object/public/none/a.png', 400],
    ['GET', '/functions/v1/nobody', 404],
    ['OPTIONS', '/functions/v1/nobody', 404],
    ['GET', '/v1/projects', 403],
    ['GET', '', 404],
  ])('is answered as the one without it: %s %s', async (method, path, status) => {
    const headers = { apikey: server.keys.publishableKey, origin: 'https://app.example.com' };
    const expected = await ask(path || '/', headers, method);
    expect(expected.status).toBe(status);
    expect(await ask(`http://galley.example${path}`, headers, method)).toEqual(expected);
  });

  it('lets a personal access token in where it may go, and nowhere else', async () => {
    const created = await fetch(`${server.url}/v1/access-tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.keys.secretKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'behind a proxy' }),
    });
    const { token } = (await created.json()) as { token: string };
    const headers = { authorization: `Bearer ${token}` };
    expect((await ask('http://galley.example/v1/projects', headers)).status).toBe(200);
    expect((await ask('http://galley.example/rest/v1/notes', headers)).status).toBe(401);
  });
});

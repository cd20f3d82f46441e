import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema({ PGRST_DB_SCHEMAS: 'схема, public' });
  await server.project.database.query(`
    create schema "схема";
    grant usage on schema "схема" to anon;
    create table "схема".reels (id int primary key);
    grant select on "схема".reels to anon;
    insert into "схема".reels values (7);
  `);
});
afterAll(() => server.close());

/** What the bytes of UTF-8 are as the text of a header. */
const bytesOf = (text: string) => Buffer.from(text).toString('latin1');
const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/rest/v1/${path}`, { headers: { apikey: server.keys.publishableKey, ...headers } });

it.each([
  ['reels', {}],
  ['reels', { 'accept-profile': bytesOf('схема') }],
  ['', {}],
])('names a schema that is not Latin in UTF-8: %j with %j', async (path, headers) => {
  const response = await get(path, headers);
  expect([response.status, response.headers.get('content-profile')]).toEqual([200, bytesOf('схема')]);
});

it('knows such a schema from one that is not exposed', async () => {
  const refused = await get('reels', { 'accept-profile': bytesOf('схемы') });
  expect([refused.status, ((await refused.json()) as { message: string }).message]).toEqual([
    406,
    'Invalid schema: схемы',
  ]);
});

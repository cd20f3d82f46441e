import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema();
  await server.project.database.query('create table keyless (a text, b text)');
});
afterAll(() => server.close());

function put(path: string, body: unknown, prefer = ''): Promise<Response> {
  return fetch(`${server.url}/rest/v1/${path}`, {
    method: 'PUT',
    body: JSON.stringify(body),
    headers: { apikey: server.keys.publishableKey, 'content-type': 'application/json', prefer },
  });
}

async function answer(
  path: string,
  body: unknown,
  prefer = 'return=representation',
): Promise<[number, unknown]> {
  const response = await put(path, body, prefer);
  return [response.status, await response.json()];
}

describe('PUT', () => {
  it('inserts the row that its filters name, or replaces it', async () => {
    const ada = { id: 50, name: 'Ada L.', parent_id: 1 };
    expect(await answer('people?id=eq.50', ada)).toEqual([201, [ada]]);
    expect(await answer('people?id=eq.50&select=name', [{ id: 50, name: 'Ada' }])).toEqual([
      200,
      [{ name: 'Ada' }],
    ]);
    const { rows } = await server.project.database.query('select * from people where id = 50');
    expect(rows).toEqual([{ id: 50, name: 'Ada', parent_id: 1 }]);
  });

  it('does so by a key of several columns', async () => {
    const role = { film_id: 4, actor_id: 1, character: 'x' };
    expect(await answer('roles?film_id=eq.4&actor_id=eq.1', role)).toEqual([201, [role]]);
    expect(await answer('roles?actor_id=eq.1&film_id=eq.4', role)).toEqual([200, [role]]);
  });

  it('answers nothing unless asked, and no range', async () => {
    for (const prefer of ['', 'return=minimal', 'return=headers-only']) {
      const response = await put('people?id=eq.51', { id: 51, name: 'x' }, prefer);
      expect([response.status, await response.text()]).toEqual([204, '']);
      expect(response.headers.get('content-range')).toBeNull();
      expect(response.headers.get('preference-applied')).toBe(prefer || null);
    }
  });

  it.each([
    ['people?name=eq.x'],
    ['people?id=not.eq.1'],
    ['people?id=in.(1)'],
    ['people?id=eq(any).{1}'],
    ['people?and=(id.eq.1)'],
    ['people?id=eq.1&name=eq.x'],
    ['people'],
    ['roles?film_id=eq.1'],
    ['keyless?a=eq.1&b=eq.2'],
  ])('%s is not filtered by all of the primary key and nothing else', async (path) => {
    expect(await answer(path, { id: 1 })).toEqual([
      405,
      {
        code: 'PGRST105',
        message: "Filters must include all and only primary key columns with 'eq' operators",
        details: null,
        hint: null,
      },
    ]);
  });

  it('refuses a body for another key, and stores nothing', async () => {
    expect(await answer('people?id=eq.60&select=id,name', { id: 61, name: 'x' })).toEqual([
      400,
      {
        code: 'PGRST115',
        message: 'Payload values do not match URL in primary key column(s)',
        details: null,
        hint: null,
      },
    ]);
    const { rows } = await server.project.database.query('select * from people where id in (60, 61)');
    expect(rows).toEqual([]);
  });

  it('wants the key in the body', async () => {
    for (const body of [{ name: 'x' }, {}, []]) {
      expect(await answer('people?id=eq.60', body)).toMatchObject([400, { code: '42703' }]);
    }
  });

  it('takes an offset before the first row for none', async () => {
    expect((await answer('people?id=eq.1&offset=-1', { id: 1, name: 'Ada' }))[0]).toBeLessThan(300);
  });

  it.each(['limit=1', 'offset=1'])('refuses %s', async (range) => {
    expect(await answer(`people?id=eq.1&${range}`, { id: 1 })).toEqual([
      400,
      {
        code: 'PGRST114',
        message: 'limit/offset querystring parameters are not allowed for PUT',
        details: null,
        hint: null,
      },
    ]);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema();
  await server.project.database.query('create table tickets (number int, price int)');
});
afterAll(() => server.close());
beforeEach(() =>
  server.project.database.query(`
    delete from people where id > 3;
    insert into people select i, 'p' || i from generate_series(10, 15) as i;
    truncate tickets;
    insert into tickets values (1, 5), (1, 6), (2, 7), (3, 7);
  `),
);

async function send(method: string, path: string, body?: unknown): Promise<[number, unknown]> {
  const response = await fetch(`${server.url}/rest/v1/${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    headers: {
      apikey: server.keys.publishableKey,
      'content-type': 'application/json',
      prefer: 'return=representation',
    },
  });
  return [response.status, await response.json()];
}

async function names(): Promise<string[]> {
  const { rows } = await server.project.database.query<{ name: string }>(
    'select name from people where id > 9 order by id',
  );
  return rows.map(({ name }) => name);
}

describe('a change with a limit', () => {
  it('changes the first rows of those that match', async () => {
    const changed = await send('PATCH', 'people?id=gt.10&order=id.desc&limit=2&offset=1&select=id', {
      name: 'x',
    });
    expect(changed).toEqual([200, [{ id: 14 }, { id: 13 }]]);
    expect(await names()).toEqual(['p10', 'p11', 'p12', 'x', 'x', 'p15']);
  });

  it('removes the first rows of those that match', async () => {
    expect((await send('DELETE', 'people?id=gt.9&order=id&limit=4'))[0]).toBe(200);
    expect(await names()).toEqual(['p14', 'p15']);
    expect(await send('DELETE', 'people?id=gt.9&order=id&limit=0')).toEqual([200, []]);
    expect(await names()).toHaveLength(2);
  });

  it('changes no more than that in the order of a column that is not unique', async () => {
    expect((await send('PATCH', 'people?id=gt.9&order=parent_id&limit=1', { name: 'x' }))[1]).toHaveLength(1);
  });

  it.each(['PATCH', 'DELETE'])('wants an order (%s)', async (method) => {
    expect(await send(method, 'people?limit=1', method === 'PATCH' ? { name: 'x' } : undefined)).toEqual([
      400,
      {
        code: 'PGRST109',
        message: "A 'limit' was applied without an explicit 'order'",
        details: null,
        hint: "Apply an 'order' using unique column(s)",
      },
    ]);
    expect(await names()).not.toContain('x');
  });

  it('is undone where rows cannot be told apart', async () => {
    expect(await send('DELETE', 'tickets?order=number&limit=1')).toEqual([
      400,
      {
        code: 'PGRST110',
        message: 'The maximum number of rows allowed to change was surpassed',
        details: 'Results contain 2 rows changed but the maximum number allowed is 1',
        hint: null,
      },
    ]);
    expect(await send('DELETE', 'tickets?order=number.desc&limit=2')).toMatchObject([
      200,
      [{ number: 3 }, { number: 2 }],
    ]);
  });
});

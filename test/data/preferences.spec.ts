import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

const moreSql = `
  create table showings (id int primary key, at timestamptz);
  insert into showings values (1, '2023-10-18 12:37:59.611+00');
  create table seats (place int, number int, free bool, booked jsonb, primary key (number, place));
  create table big_keys (id bigint primary key, label text);
  create table unkeyed (a int);
  create table later (a int unique deferrable initially deferred);
  insert into later values (1);
  create function remove_people(above int) returns setof people language sql as
    $$ delete from people where id > above returning * $$;
  create function remove_all() returns void language sql as $$ delete from people where id > 9 $$;
`;

let server: TestServer;
const forced: TestServer[] = [];

beforeAll(async () => {
  server = await startCinema({ PGRST_DB_TX_END: 'commit-allow-override' });
  await server.project.database.query(moreSql);
});
afterAll(async () => {
  for (const other of [server, ...forced]) await other.close();
});
afterEach(() => server.project.database.query('delete from people where id > 3'));

async function send(method: string, path: string, prefer: string, body?: unknown, to = server) {
  const response = await fetch(`${to.url}/rest/v1/${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    headers: { apikey: to.keys.publishableKey, 'content-type': 'application/json', prefer },
  });
  const text = await response.text();
  return {
    status: response.status,
    applied: response.headers.get('preference-applied'),
    range: response.headers.get('content-range'),
    location: response.headers.get('location'),
    body: text === '' ? null : (JSON.parse(text) as unknown),
  };
}

const people = (...ids: number[]) => ids.map((id) => ({ id, name: `p${id}` }));

describe('handling', () => {
  it('strict refuses what nobody knows', async () => {
    const refused = { status: 400, body: { code: 'PGRST122', hint: null } };
    const error = await send('GET', 'films', 'handling=strict, foo, bar=1');
    expect(error).toMatchObject(refused);
    expect(error.body).toMatchObject({
      message: 'Invalid preferences given with handling=strict',
      details: 'Invalid preferences: foo, bar=1',
    });
    expect(await send('POST', 'people', 'handling=strict, foo', people(10))).toMatchObject(refused);
    expect(await send('POST', 'rpc/add', 'handling=strict, foo', { a: 1, b: 2 })).toMatchObject(refused);
  });

  it('lenient passes over it', async () => {
    expect(await send('GET', 'films?select=id&limit=1', 'handling=lenient, foo')).toMatchObject({
      status: 200,
      applied: 'handling=lenient',
    });
  });
});

describe('timezone', () => {
  const at = async (prefer: string) => (await send('GET', 'showings?select=at', prefer)).body;

  it('is that of the answer', async () => {
    expect(await at('timezone=America/Los_Angeles')).toEqual([{ at: '2023-10-18T05:37:59.611-07:00' }]);
    expect(await at('timezone=-4')).toEqual([{ at: '2023-10-18T08:37:59.611-04:00' }]);
    expect(await send('GET', 'showings', 'timezone=-4, handling=strict')).toMatchObject({
      applied: 'handling=strict, timezone=-4',
    });
    expect(await at('')).toEqual([{ at: '2023-10-18T12:37:59.611+00:00' }]);
  });

  it.each(['', 'handling=lenient, ', 'handling=strict, '])(
    'that there is not is refused (%s)',
    async (handling) => {
      expect(await send('GET', 'showings', `${handling}timezone=Jupiter/Red_Spot`)).toMatchObject({
        status: 400,
        body: {
          code: '22023',
          message: 'invalid value for parameter "TimeZone": "Jupiter/Red_Spot"',
          details: null,
          hint: null,
        },
      });
    },
  );
});

describe('max-affected', () => {
  it('bounds what a change may change, with handling=strict', async () => {
    await send('POST', 'people', '', people(10, 11));
    for (const [method, body] of [
      ['PATCH', { name: 'x' }],
      ['DELETE', undefined],
    ] as const) {
      expect(await send(method, 'people?id=gt.9', 'handling=strict, max-affected=1', body)).toMatchObject({
        status: 400,
        applied: null,
        body: {
          code: 'PGRST124',
          message: 'Query result exceeds max-affected preference constraint',
          details: 'The query affects 2 rows',
          hint: null,
        },
      });
    }
    expect(
      await send('PATCH', 'people?id=gt.9', 'handling=strict, max-affected=2', { name: 'y' }),
    ).toMatchObject({
      status: 204,
      applied: 'handling=strict, max-affected=2',
    });
    expect(await send('DELETE', 'people?id=gt.9', 'max-affected=0')).toMatchObject({
      status: 204,
      applied: null,
    });
  });

  it('is undone when a function goes beyond it', async () => {
    await send('POST', 'people', '', people(10, 11));
    const strict = 'handling=strict, max-affected=1';
    expect(await send('POST', 'rpc/remove_people', strict, { above: 9 })).toMatchObject({
      status: 400,
      body: { code: 'PGRST124' },
    });
    expect((await send('GET', 'people?id=gt.9', '')).body).toHaveLength(2);
  });

  it('cannot be told of a function that does not say what it changed', async () => {
    expect(await send('POST', 'rpc/remove_all', 'handling=strict, max-affected=1', {})).toMatchObject({
      status: 400,
      body: {
        code: 'PGRST128',
        message:
          'Function must return SETOF or TABLE when max-affected preference is used with handling=strict',
      },
    });
  });
});

describe('tx', () => {
  it('rollback answers and leaves nothing behind', async () => {
    const insert = await send('POST', 'people', 'tx=rollback, return=representation', people(10));
    expect(insert).toMatchObject({ status: 201, applied: 'return=representation, tx=rollback' });
    expect(
      await send('PUT', 'people?id=eq.10', 'tx=rollback, return=representation', people(10)),
    ).toMatchObject({
      status: 201,
    });
    const removed = await send('POST', 'rpc/remove_people', 'tx=rollback', { above: 2 });
    expect(removed.body).toHaveLength(1);
    expect((await send('GET', 'people?select=id&order=id', 'tx=rollback')).body).toEqual([
      { id: 1 },
      { id: 2 },
      { id: 3 },
    ]);
  });

  it.each(['rollback', 'commit'])('%s tells what only the end of the transaction finds', async (end) => {
    expect(await send('POST', 'later', `tx=${end}`, { a: 1 })).toMatchObject({
      status: 409,
      body: { code: '23505' },
    });
    // The connection is as good as before.
    expect((await send('GET', 'later', '')).body).toEqual([{ a: 1 }]);
  });

  it('commit is what happens anyway', async () => {
    expect(await send('POST', 'people', 'tx=commit', people(10))).toMatchObject({ applied: 'tx=commit' });
    expect((await send('GET', 'people?id=eq.10', '')).body).toHaveLength(1);
  });

  it('is passed over unless settings let requests choose', async () => {
    const committing = await startCinema();
    forced.push(committing);
    expect(await send('POST', 'people', 'tx=rollback', people(10), committing)).toMatchObject({
      applied: null,
    });
    expect((await send('GET', 'people?id=eq.10', '', undefined, committing)).body).toHaveLength(1);
    const undoing = await startCinema({ PGRST_DB_TX_END: 'rollback' });
    forced.push(undoing);
    expect(await send('POST', 'people', 'tx=commit', people(10), undoing)).toMatchObject({ applied: null });
    expect((await send('GET', 'people?id=eq.10', '', undefined, undoing)).body).toEqual([]);
  });
});

describe('return=headers-only', () => {
  it.each([
    ['seats', { place: 1, number: 2, free: true }, '/seats?place=eq.1&number=eq.2'],
    ['seats?select=free', { place: 1, number: 3 }, '/seats?number=eq.3&place=eq.1'],
    ['big_keys', { id: '9007199254740993' }, '/big_keys?id=eq.9007199254740993'],
    ['unkeyed', { a: 1 }, null],
    ['people', people(10, 11), null],
  ])('tells where a new row of %s is', async (path, body, location) => {
    expect(await send('POST', path, 'return=headers-only', body)).toEqual({
      status: 201,
      applied: 'return=headers-only',
      range: '*/*',
      location,
      body: null,
    });
  });

  it('says no more of changes than return=minimal', async () => {
    for (const prefer of ['return=headers-only', 'return=minimal']) {
      expect(await send('PATCH', 'films?id=eq.1', prefer, { year: 1962 })).toEqual({
        status: 204,
        applied: prefer,
        range: '0-0/*',
        location: null,
        body: null,
      });
    }
  });
});

describe('count', () => {
  it.each([
    ['exact', '2'],
    ['estimated', '2'],
    ['planned', '*'],
  ])('%s tells of changes that there were %s', async (count, total) => {
    const prefer = `count=${count}`;
    const insert = await send('POST', 'people', prefer, people(10, 11));
    expect(insert).toMatchObject({ range: `*/${total}`, applied: prefer });
    expect(await send('PATCH', 'people?id=gt.9', prefer, { name: 'x' })).toMatchObject({
      range: `0-1/${total}`,
    });
    expect(await send('DELETE', 'people?id=gt.9', prefer)).toMatchObject({ range: `*/${total}` });
  });
});

describe('resolution', () => {
  it('is not applied where rows cannot meet', async () => {
    const prefer = 'resolution=merge-duplicates, return=representation';
    expect(await send('POST', 'unkeyed', prefer, { a: 5 })).toMatchObject({
      status: 201,
      applied: 'return=representation',
    });
    expect(await send('POST', 'people', prefer, people(10))).toMatchObject({ status: 201, applied: prefer });
    expect(await send('POST', 'people', prefer, people(10))).toMatchObject({ status: 200 });
    expect(await send('POST', 'people', prefer, [])).toMatchObject({ status: 200, body: [] });
    const ignored = 'resolution=ignore-duplicates, return=representation';
    expect(await send('POST', 'people', ignored, people(10, 11))).toMatchObject({
      status: 201,
      applied: ignored,
      body: [{ id: 11, name: 'p11', parent_id: null }],
    });
  });
});

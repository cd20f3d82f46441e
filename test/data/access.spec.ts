import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { startCinema, tokenOf } from './cinema.js';

const ann = '00000000-0000-4000-8000-00000000000a';
const bob = '00000000-0000-4000-8000-00000000000b';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema();
});
afterAll(() => server.close());

async function as(userId: string | undefined, path: string, init: RequestInit = {}) {
  const authorization: Record<string, string> =
    userId === undefined ? {} : { authorization: `Bearer ${await tokenOf(server, userId)}` };
  const response = await fetch(`${server.url}/rest/v1/${path}`, {
    ...init,
    headers: {
      apikey: server.keys.publishableKey,
      'content-type': 'application/json',
      ...authorization,
      ...(init.headers as Record<string, string>),
    },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
}

describe('row-level security', () => {
  it('keeps one person from reading and writing what is another one’s', async () => {
    const own = { method: 'POST', body: JSON.stringify({ owner: ann, body: 'mine' }) };
    expect((await as(ann, 'notes', own)).status).toBe(201);
    expect((await as(ann, 'notes?select=body')).body).toEqual([{ body: 'mine' }]);
    expect((await as(bob, 'notes')).body).toEqual([]);
    const representation = { headers: { prefer: 'return=representation' } };
    const change = { method: 'PATCH', body: '{"body":"stolen"}', ...representation };
    expect((await as(bob, 'notes?id=gt.0', change)).body).toEqual([]);
    expect((await as(bob, 'notes?id=gt.0', { method: 'DELETE', ...representation })).body).toEqual([]);
    const forged = await as(bob, 'notes', own);
    expect([forged.status, forged.body.code]).toEqual([403, '42501']);
    expect((await as(ann, 'notes?select=body')).body).toEqual([{ body: 'mine' }]);
  });

  it('is above nobody but the secret key', async () => {
    const { data } = await server.client(server.keys.secretKey).from('notes').select('body');
    expect(data).toEqual([{ body: 'mine' }]);
  });
});

describe('access', () => {
  it('answers 42501 with 401 to strangers and 403 to people', async () => {
    const stranger = await as(undefined, 'vault');
    expect(stranger.status).toBe(401);
    expect(stranger.headers.get('www-authenticate')).toBe('Bearer');
    expect(stranger.body).toEqual({
      code: '42501',
      message: 'permission denied for table vault',
      details: null,
      hint: null,
    });
    expect((await as(ann, 'vault')).status).toBe(403);
  });

  it('wants a key', async () => {
    const response = await fetch(`${server.url}/rest/v1/films`);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ message: 'No API key found in request' });
  });

  it('answers PGRST303 to an expired and PGRST301 to a forged token', async () => {
    const expired = server.project.tokens.sign({ role: 'authenticated', sub: ann }, -60);
    const late = await as(undefined, 'films', { headers: { authorization: `Bearer ${expired}` } });
    expect([late.status, late.body.code, late.body.message]).toEqual([401, 'PGRST303', 'JWT expired']);
    expect(late.headers.get('www-authenticate')).toBe(
      'Bearer error="invalid_token", error_description="JWT expired"',
    );
    const forged = await as(undefined, 'films', {
      headers: { authorization: `Bearer ${expired.slice(0, -4)}AAAA` },
    });
    expect([forged.status, forged.body.code]).toEqual([401, 'PGRST301']);
    const junk = await as(undefined, 'films', { headers: { authorization: 'Bearer junk' } });
    expect([junk.status, junk.body.code]).toEqual([401, 'PGRST301']);
  });

  it('answers unknown paths in its own shape', async () => {
    expect((await as(undefined, 'a/b')).body.code).toBe('PGRST125');
    expect((await as(undefined, 'a%00b')).body.code).toBe('PGRST125');
  });
});

describe('schema changes', () => {
  it('are seen by the next request', async () => {
    for (let i = 0; i < 5; i += 1) {
      await server.project.database.query(
        `create table late_${i} (id int primary key, film_id int references films (id))`,
      );
      expect((await as(undefined, `late_${i}?select=id,films(id)`)).body).toEqual([]);
      await server.project.database.query(`alter table late_${i} add column extra text`);
      const insert = { method: 'POST', body: '{"id":1,"extra":"x"}' };
      expect((await as(undefined, `late_${i}`, insert)).status).toBe(201);
      await server.project.database.query(`drop table late_${i}`);
      expect((await as(undefined, `late_${i}`)).status).toBe(404);
    }
  });

  it('are seen by the next request also when the schema was read while they were under way', async () => {
    const { database } = server.project;
    const readMeanwhile = () => as(undefined, 'slow_to_come');
    await database.asSystem(async (tx) => {
      await tx.query('create table slow_to_come (id int primary key)');
      // Counted already, and not there for others.
      expect((await readMeanwhile()).body.code).toBe('PGRST205');
      await database.query(`notify pgrst, 'reload schema'`);
      expect((await readMeanwhile()).body.code).toBe('PGRST205');
    });
    expect((await as(undefined, 'slow_to_come')).body).toEqual([]);
  });

  it('never make a request fail while they are read', async () => {
    const notify = () => server.project.database.query(`notify pgrst, 'reload schema'`);
    const requests = Array.from({ length: 30 }, async (_, i) => {
      if (i % 3 === 0) await notify();
      return (await as(undefined, 'films?select=id,directors(name)&id=eq.1')).status;
    });
    expect(new Set(await Promise.all(requests))).toEqual(new Set([200]));
  });
});

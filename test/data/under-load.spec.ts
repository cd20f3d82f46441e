import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually.js';
import type { TestServer } from '../support/server.js';
import { jsonOf, startCinema, tokenOf } from './cinema.js';
import { closeGate, passGate, running } from './gate.js';

let server: TestServer;
let open = async (): Promise<void> => {};
afterEach(async () => {
  await open();
  await server.close();
});

/** A server with five connections, and a function that is slow until `open` is called. */
async function start(environment: Record<string, string> = {}): Promise<void> {
  server = await startCinema({ DB_POOL_SIZE: '5', ...environment });
  const { database } = server.project;
  await database.query(`
    create function public.slow() returns int language sql volatile as $$
      ${passGate}; select 1 $$;
    notify pgrst, 'reload schema';`);
  open = await closeGate(server.project);
}

const ask = (path: string, init: RequestInit = {}, token?: string) =>
  fetch(`${server.url}/rest/v1/${path}`, {
    ...init,
    headers: {
      apikey: server.keys.publishableKey,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
  });
const askSlowly = (token?: string) => ask('rpc/slow', { method: 'POST' }, token);

describe('under load', () => {
  it('slow requests of some leave connections to others', async () => {
    await start();
    const slow = Array.from({ length: 12 }, () => askSlowly());
    await eventually(async () => (await running(server.project)) === 4);
    const person = tokenOf(server, randomUUID());
    expect((await ask('films?id=eq.1', {}, person)).status).toBe(200);
    await open();
    expect(await Promise.all(slow.map(async (one) => (await one).status))).toEqual(Array(12).fill(200));
  });

  it('a request that waits too long for a connection is told so as PostgREST does', async () => {
    await start({ DB_POOL_WAIT_MS: '100' });
    const slow = Array.from({ length: 4 }, () => askSlowly());
    await eventually(async () => (await running(server.project)) === 4);
    const late = await ask('films?id=eq.1');
    expect(late.status).toBe(504);
    expect(await jsonOf(late)).toEqual({
      code: 'PGRST003',
      message: 'Timed out acquiring connection from connection pool.',
      details: null,
      hint: null,
    });
    await open();
    await Promise.all(slow);
    expect((await ask('films?id=eq.1')).status).toBe(200);
  });

  it('more requests than may wait are asked to come again', async () => {
    await start();
    const slow = Array.from({ length: 4 }, () => askSlowly());
    await eventually(async () => (await running(server.project)) === 4);
    const refused: Response[] = [];
    const waiting = Array.from({ length: 1100 }, async () => {
      const response = await ask('films?id=eq.1');
      if (response.status !== 200) refused.push(response);
      return response.status;
    });
    await eventually(() => refused.length === 100);
    expect(refused[0]!.status).toBe(503);
    expect(refused[0]!.headers.get('retry-after')).toBe('1');
    expect(await jsonOf(refused[0]!)).toMatchObject({ code: 'PGRST003' });
    await open();
    expect((await Promise.all(waiting)).filter((status) => status === 200)).toHaveLength(1000);
    await Promise.all(slow);
  });

  it('a line that one fills has room for others', async () => {
    await start();
    const slow = [...Array.from({ length: 4 }, () => askSlowly()), askSlowly(tokenOf(server, randomUUID()))];
    await eventually(async () => (await running(server.project)) === 5);
    let refused = 0;
    const waiting = Array.from({ length: 1010 }, async () => {
      if ((await ask('films?id=eq.1')).status === 503) refused += 1;
    });
    await eventually(() => refused === 10);
    const other = ask('films?id=eq.1', {}, tokenOf(server, randomUUID()));
    await eventually(() => refused === 11);
    await open();
    expect((await other).status).toBe(200);
    await Promise.all([...slow, ...waiting]);
    expect(refused).toBe(11);
  });

  it('requests fail clearly when PostgreSQL goes, and work when it is back', async () => {
    await start();
    const slow = Array.from({ length: 4 }, () => askSlowly());
    await eventually(async () => (await running(server.project)) === 4);
    await server.project.database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and usename = 'authenticator'`,
    );
    for (const one of slow) {
      const response = await one;
      expect(response.status).toBe(503);
      expect(await jsonOf(response)).toMatchObject({ code: '57P01', message: expect.any(String) });
    }
    await open();
    expect((await ask('films?id=eq.1')).status).toBe(200);
  });
});

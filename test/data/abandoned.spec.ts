import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HttpAdapterHost } from '@nestjs/core';
import { type ClientRequest, request, type Server } from 'node:http';
import { eventually } from '../support/eventually.js';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';
import { closeGate, passGate, running } from './gate.js';

let server: TestServer;
let open = async (): Promise<void> => {};

/** Two connections for callers, and functions that are slow until `open` is called. */
beforeEach(async () => {
  server = await startCinema({ DB_POOL_SIZE: '2' });
  const { database } = server.project;
  await database.query(`
    create table visits (at timestamptz default clock_timestamp());
    grant all on visits to anon;
    create function visit() returns void language sql volatile as $$
      ${passGate}; insert into visits default values $$;
    create function look() returns int language sql stable as $$
      ${passGate}; select 1 $$;
    notify pgrst, 'reload schema';
    -- So that nothing ends but by what is tested.
    do $$ begin
      execute format('alter role authenticator in database %I set statement_timeout = 0', current_database());
      execute format('alter role authenticator in database %I set lock_timeout = 0', current_database());
    end $$;`);
  open = await closeGate(server.project);
});
afterEach(async () => {
  await open();
  await server.close();
});

/** Asks on a connection of its own, which closes when it is destroyed. */
function ask(path: string, method = 'GET'): ClientRequest {
  const headers = { apikey: server.keys.publishableKey };
  const asked = request(`${server.url}/rest/v1/${path}`, { method, headers, agent: false });
  asked.on('error', () => {}).end();
  return asked;
}
const statusOf = (asked: ClientRequest) =>
  new Promise<number>((resolve, reject) => {
    asked.on('error', reject).on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode!));
    });
  });

function connections(): Promise<number> {
  const http = server.get(HttpAdapterHost).httpAdapter.getHttpServer() as Server;
  return new Promise((resolve, reject) =>
    http.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}

describe('when its client leaves before the answer', () => {
  it('a request that waits for a connection is never done, and a change that has begun is', async () => {
    const visits = Array.from({ length: 12 }, () => ask('rpc/visit', 'POST'));
    await eventually(async () => (await running(server.project)) === 2 && (await connections()) === 12);
    for (const visit of visits) visit.destroy();
    await eventually(async () => (await connections()) === 0);
    expect(await running(server.project)).toBe(2);
    await open();
    // Would come after them.
    expect(await statusOf(ask('films?id=eq.1'))).toBe(200);
    const done = async () => (await server.project.database.query('select from visits')).rowCount;
    await eventually(async () => (await running(server.project)) === 0);
    expect(await done()).toBe(2);
  });

  it('what only reads is cancelled, and its connection serves others', async () => {
    const looks = [ask('rpc/look'), ask('rpc/look', 'POST')];
    await eventually(async () => (await running(server.project)) === 2);
    for (const look of looks) look.destroy();
    await eventually(async () => (await running(server.project)) === 0);
    expect(await Promise.all(['films', 'actors'].map((path) => statusOf(ask(path))))).toEqual([200, 200]);
  });

  it('a read is cancelled in a batch, too', async () => {
    const headers = { apikey: server.keys.publishableKey, 'content-type': 'application/json' };
    const batch = request(`${server.url}/rest/v1/batch`, { method: 'POST', headers, agent: false });
    batch
      .on('error', () => {})
      .end(JSON.stringify({ requests: [{ path: '/films' }, { path: '/rpc/look' }] }));
    await eventually(async () => (await running(server.project)) === 1);
    batch.destroy();
    await eventually(async () => (await running(server.project)) === 0);
  });
});

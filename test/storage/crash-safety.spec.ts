import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '#libs/platform';
import { objectKey, sweepOrphanVersions } from '#libs/storage';
import { connect } from 'node:net';
import { startStorage, type Person, type StorageServer } from './storage-server.js';

let server: StorageServer;
let ada: Person;
beforeAll(async () => {
  server = await startStorage({ LOG_LEVEL: 'fatal' });
  ada = await server.person();
});
afterAll(() => server.close());

async function* content(text: string) {
  yield Buffer.from(text);
}

/** What a crash between the bytes and the row leaves. */
async function leaveOrphan(): Promise<string> {
  const key = objectKey(server.project.ref, newId());
  await server.bytes.write(key, content('orphan'), 100);
  return key;
}

describe('a crash', () => {
  it('leaves an orphan version, which the sweep removes once it is old enough', async () => {
    await server.admin.storage.from('avatars').upload('kept.txt', 'kept');
    const kept = await server.versions();
    await leaveOrphan();
    await leaveOrphan();
    expect(await sweepOrphanVersions(server.project, server.bytes)).toBe(0);
    expect(await server.versions()).toBe(kept + 2);
    expect(await sweepOrphanVersions(server.project, server.bytes, 0)).toBe(2);
    expect(await sweepOrphanVersions(server.project, server.bytes, 0)).toBe(0);
    const { data } = await server.admin.storage.from('avatars').download('kept.txt');
    expect(await data!.text()).toBe('kept');
  });

  it('may come between two sweeps that run at once', async () => {
    await Promise.all(Array.from({ length: 20 }, leaveOrphan));
    const removed = await Promise.all([
      sweepOrphanVersions(server.project, server.bytes, 0),
      sweepOrphanVersions(server.project, server.bytes, 0),
    ]);
    expect(Math.max(...removed)).toBe(20);
    expect(await sweepOrphanVersions(server.project, server.bytes, 0)).toBe(0);
  });

  it('of a policy at the commit takes the bytes back', async () => {
    // Admits the question, which comes before the bytes, but not the row, which knows their hash.
    await server.project.database.query(
      `create policy "Not hashed" on storage.objects as restrictive for insert to authenticated
         with check (name not like '%/late.txt' or metadata ->> 'eTag' is null)`,
    );
    const before = await server.versions();
    const { error } = await ada.client.storage.from('avatars').upload(`${ada.id}/late.txt`, 'x');
    expect(error).toMatchObject({ statusCode: '403' });
    expect(await server.versions()).toBe(before);
  });

  it('of the client half way leaves neither row nor bytes', async () => {
    const before = await server.versions();
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /storage/v1/object/avatars/${ada.id}/half.bin HTTP/1.1\r\nhost: x\r\ncontent-type: a/b\r\n` +
        `authorization: Bearer ${ada.token}\r\ncontent-length: 1000000\r\n\r\n${'x'.repeat(200_000)}`,
    );
    const unfinished = async () => {
      let count = 0;
      const { readdir } = await import('node:fs/promises');
      count = (await readdir(`${server.platform.config.dataDir}/objects/.unfinished`)).length;
      return count;
    };
    await until(async () => (await unfinished()) === 1);
    socket.destroy();
    await until(async () => (await unfinished()) === 0);
    expect(await server.versions()).toBe(before);
    const { rows } = await server.project.database.query(
      `select from storage.objects where name like '%half.bin'`,
    );
    expect(rows).toEqual([]);
  });

  it('of PostgreSQL asks the client to try again', async () => {
    await server.project.database.query(
      `create function public.crash() returns trigger language plpgsql security definer as
         $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
       create trigger crash before insert on storage.objects for each row
         when (new.name = 'crash.txt') execute function public.crash()`,
    );
    const response = await server.fetch('/object/avatars/crash.txt', {
      method: 'POST',
      headers: { authorization: `Bearer ${server.keys.serviceRoleKey}`, 'content-type': 'text/plain' },
      body: 'x',
    });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toEqual({
      statusCode: '503',
      error: 'DatabaseTimeout',
      message: 'Storage cannot be reached at the moment, please try again later',
      code: 'DatabaseTimeout',
    });
  });

  it('never leaves a row without bytes when the database refuses the event', async () => {
    await server.project.database.query(
      `alter table galley.outbox add constraint no_refused check (payload ->> 'name' not like '%refused%')`,
    );
    const before = await server.versions();
    const { error } = await server.admin.storage.from('avatars').upload('refused.txt', 'x');
    expect(error).toMatchObject({ status: 500, message: 'database error, code: 23514' });
    expect(await server.versions()).toBe(before);
    expect((await server.admin.storage.from('avatars').exists('refused.txt')).data).toBe(false);
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition().catch(() => false))) {
    if (Date.now() > deadline) throw new Error('The condition did not come true within ten seconds');
    await new Promise(setImmediate);
  }
}

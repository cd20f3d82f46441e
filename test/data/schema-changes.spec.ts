import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema();
  await server.project.database.query(`
    create function scratch() returns int language plpgsql as $$
      begin
        create temp table scratch_pad (id serial primary key, body text) on commit drop;
        comment on column scratch_pad.body is 'x';
        create temp view scratch_view as select body from scratch_pad;
        alter table scratch_pad add column more text;
        drop view scratch_view;
        alter table scratch_pad drop column more;
        drop table scratch_pad;
        create temp table scratch_pad on commit drop as select 1 as id, 'x'::text as body;
        return 1;
      end
    $$;
    create domain seat as int;
    create function seat_json(seat) returns json language sql immutable as 'select to_json(''seat '' || $1::int)';
    create table chairs (id seat);
    insert into chairs values (1);
    grant select on chairs to anon;
  `);
});
afterAll(() => server.close());

const get = (path: string) =>
  fetch(`${server.url}/rest/v1/${path}`, { headers: { apikey: server.keys.publishableKey } });

async function changes(): Promise<number> {
  const { rows } = await server.project.database.query<{ changes: string }>(
    'select last_value as changes from galley.schema_changes',
  );
  return Number(rows[0]!.changes);
}

describe('a change of the schema', () => {
  it('is none where all is temporary', async () => {
    const before = await changes();
    const made = await fetch(`${server.url}/rest/v1/rpc/scratch`, {
      method: 'POST',
      headers: { apikey: server.keys.publishableKey },
    });
    expect([made.status, await made.text()]).toEqual([200, '1']);
    expect(await changes()).toBe(before);
  });

  it('is one where something temporary is dropped with what is not', async () => {
    const before = await changes();
    await server.project.database.query(
      'create temp table brief (id int); create table lasting (id int); drop table brief, lasting',
    );
    expect(await changes()).toBe(before + 2);
  });

  it('is a cast, which is used at once and no longer than it is there', async () => {
    expect(await (await get('chairs')).json()).toEqual([{ id: 1 }]);
    const before = await changes();
    await server.project.database.query(
      'create cast (seat as json) with function seat_json(seat) as implicit',
    );
    expect(await changes()).toBe(before + 1);
    await get('nosuch');
    expect(await (await get('chairs')).json()).toEqual([{ id: 'seat 1' }]);
    await server.project.database.query('drop cast (seat as json)');
    expect(await changes()).toBe(before + 2);
    await get('nosuch');
    expect(await (await get('chairs')).json()).toEqual([{ id: 1 }]);
  });

  it('is found as soon as it is there, though another stays under way', async () => {
    await server.project.database.asSystem(async (tx) => {
      await tx.query('create table unfinished (id int)');
      expect((await get('quick')).status).toBe(404);
      expect((await get('unfinished')).status).toBe(404);
      await server.project.database.query('create table quick (id int); grant select on quick to anon');
      expect((await get('quick')).status).toBe(200);
    });
    await server.project.database.query('grant select on unfinished to anon');
    expect((await get('unfinished')).status).toBe(200);
  });
});

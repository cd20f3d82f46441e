import { beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { ask, withLibrary, type Asked } from './library.js';

const { server } = withLibrary();
const sql = (text: string) => server().project.database.query(text);

/** Status and body of an answer. */
async function answerTo(request: string, asked: Asked = {}) {
  const { status, body } = await ask(server(), request, asked);
  return { status, body };
}

// What follows is seen although the schema has been read.
beforeAll(async () => {
  expect(await answerTo('authors?select=id&id=eq.1')).toMatchObject({ status: 200 });
});

describe('the very next request after a migration', () => {
  it('sees a new table and its foreign keys', async () => {
    await sql(`create table reviews (id int primary key, stars int, book_id int references books (id));
      insert into reviews values (1, 5, 1)`);
    expect(await answerTo('reviews?select=stars,books(title)')).toEqual({
      status: 200,
      body: [{ stars: 5, books: { title: 'Solaris' } }],
    });
  });

  it('sees a new foreign key between tables that it knew', async () => {
    expect(await answerTo('moments?select=authors(name)')).toMatchObject({ body: { code: 'PGRST200' } });
    await sql('alter table moments add column author_id int references authors (id)');
    expect(await answerTo('moments?select=authors(name)')).toMatchObject({ status: 200 });
  });

  it('sees a new function, and the parameters of a changed one', async () => {
    expect(await answerTo('rpc/late?a=1')).toMatchObject({ status: 404 });
    await sql('create function late(a int) returns int language sql immutable as $$ select a $$');
    expect(await answerTo('rpc/late?a=1')).toEqual({ status: 200, body: 1 });
    await sql(`drop function late(int);
      create function late(b int) returns int language sql immutable as $$ select b + 1 $$`);
    expect(await answerTo('rpc/late?b=1')).toEqual({ status: 200, body: 2 });
  });

  it('knows no table that is gone', async () => {
    await sql('create table brief (id int)');
    expect(await answerTo('brief')).toMatchObject({ status: 200 });
    await sql('drop table brief');
    expect(await answerTo('brief')).toMatchObject({ status: 404 });
  });
});

describe('without a word from whoever made it', () => {
  it('a new primary key is what an upsert merges on', async () => {
    await sql(`create table stamps (id int, word text);
      insert into stamps values (1, 'old')`);
    expect(await answerTo('stamps')).toMatchObject({ status: 200 });
    await sql('alter table stamps add primary key (id)');
    const asked = {
      headers: { prefer: 'resolution=merge-duplicates,return=representation' },
      body: { id: 1, word: 'new' },
    };
    await eventually(async () => (await answerTo('POST stamps', asked)).status === 200);
    expect(await answerTo('POST stamps', asked)).toEqual({ status: 200, body: [{ id: 1, word: 'new' }] });
  });

  it('a new cast of a domain is what its values are shown by', async () => {
    await sql(`create domain shout as text;
      create table calls (word shout);
      insert into calls values ('hey')`);
    expect(await answerTo('calls')).toEqual({ status: 200, body: [{ word: 'hey' }] });
    await sql(`create function shout_to_json(shout) returns json language sql immutable as
        $$ select to_json(upper($1)) $$;
      create cast (shout as json) with function shout_to_json(shout) as implicit`);
    await eventually(async () => JSON.stringify((await answerTo('calls')).body) === '[{"word":"HEY"}]');
  });

  it('a new trigger makes a view one that can be written', async () => {
    await sql(`create view totals as select day, count(*) as loans from loans group by day;
      create function no_total() returns trigger language plpgsql as 'begin return null; end'`);
    const allow = async () => (await ask(server(), 'OPTIONS totals')).headers.get('allow');
    expect(await allow()).toBe('OPTIONS,GET,HEAD');
    await sql('create trigger t instead of delete on totals for each row execute function no_total()');
    await eventually(async () => (await allow()) === 'OPTIONS,GET,HEAD,DELETE');
  });

  it('a new default is what a row gets', async () => {
    await sql('create table boxes (id int primary key, size int)');
    expect(await answerTo('boxes')).toMatchObject({ status: 200 });
    await sql('alter table boxes alter size set default 7');
    const headers = { prefer: 'missing=default,return=representation' };
    const added = () => answerTo('POST boxes?columns=id,size', { headers, body: [{ id: 1 }] });
    await eventually(async () => JSON.stringify((await added()).body) === '[{"id":1,"size":7}]');
  });
});

describe('while the schema cannot be read', () => {
  it('requests go on with the one of before', async () => {
    await server().project.database.asSystem(async (tx) => {
      // Views are read from it, and tables are not.
      await tx.query('lock table pg_catalog.pg_rewrite in access exclusive mode');
      await sql(`notify pgrst, 'reload schema'`);
      expect(await answerTo('members?select=id,loans(fee)&id=eq.2')).toEqual({
        status: 200,
        body: [{ id: 2, loans: [{ fee: 2 }] }],
      });
    });
  });
});

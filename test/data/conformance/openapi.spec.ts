import { beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { ask, withLibrary } from './library.js';

const { shows, server } = withLibrary();

interface Document {
  readonly paths: Record<string, Record<string, object>>;
  readonly definitions: Record<string, object>;
}

const described = async (headers?: Record<string, string>) =>
  (await ask(server(), '', { headers })).body as Document;

beforeAll(async () => {
  await server().project.database.query(`
    comment on schema archive is E'The Archive\\n\\nScrolls, and what is known of them.';
    comment on table authors is E'Who writes\\n\\nPeople of all\\ncountries.';
    comment on view old_books is 'From before 1970';
    comment on column authors.country is 'Two letters';
    comment on function add_them(int, int) is E'A sum\\n\\nOf two numbers.';
    create materialized view shelved as select id, place from books;
    create extension postgres_fdw schema extensions;
    create server elsewhere foreign data wrapper postgres_fdw;
    create foreign table far_books (id int, title text) server elsewhere;
    create table hidden (id int);
    revoke all on hidden from anon;
    grant select on authors, shelved, far_books to anon;
  `);
});

describe('the root', () => {
  const answerHeaders = { 'content-type': 'application/openapi+json; charset=utf-8' };
  shows([
    [
      'is an OpenAPI description for whoever takes anything',
      { request: '', headers: { accept: '*/*' }, answer: { swagger: '2.0' }, answerHeaders },
    ],
    [
      'is one for whoever asks for JSON',
      { request: '', headers: { accept: 'application/json' }, answer: { swagger: '2.0' }, answerHeaders },
    ],
    [
      'is one for whoever asks for it',
      {
        request: '',
        headers: { accept: 'application/openapi+json' },
        answer: { swagger: '2.0' },
        answerHeaders,
      },
    ],
    [
      'is titled and described by the comment of its schema',
      {
        request: '',
        headers: { 'accept-profile': 'archive' },
        answer: { info: { title: 'The Archive', description: 'Scrolls, and what is known of them.' } },
      },
    ],
  ]);

  it('lists tables, foreign tables, views, materialized views and functions with their verbs', async () => {
    await eventually(async () => (await described()).paths['/shelved'] !== undefined);
    const { paths } = await described();
    const verbs = Object.entries(paths).map(([path, item]) => [path, Object.keys(item).toSorted().join()]);
    expect(Object.fromEntries(verbs)).toMatchObject({
      '/authors': 'delete,get,patch,post',
      '/old_books': 'delete,get,patch,post',
      '/loan_days': 'get',
      '/shelved': 'get',
      '/far_books': 'delete,get,patch,post',
      '/rpc/add_them': 'get,post',
      '/rpc/lose_books': 'post',
    });
  });

  it('lists what the role of the request may use', async () => {
    expect((await described()).paths).not.toHaveProperty('/hidden');
    const { secretKey } = server().keys;
    await eventually(async () => (await described({ apikey: secretKey })).paths['/hidden'] !== undefined);
  });
});

describe('a comment', () => {
  it('describes its table, view, column or function, its first line as the summary', async () => {
    await eventually(async () => JSON.stringify(await described()).includes('Two letters'));
    const { paths, definitions } = await described();
    expect(definitions).toMatchObject({
      authors: { properties: { country: { description: 'Two letters' } } },
      old_books: { description: 'From before 1970' },
    });
    expect(paths).toMatchObject({
      '/authors': { get: { summary: 'Who writes', description: 'People of all\ncountries.' } },
      '/rpc/add_them': { post: { summary: 'A sum', description: 'Of two numbers.' } },
    });
  });
});

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { DataModule } from '#libs/data';
import { startTestServer, type TestServer } from '../support/server.js';

const librarySql = `
  create domain document as tsvector;
  create domain short_document as document;
  create table books (
    id int primary key, title text, words tsvector, marks document, notes short_document, info jsonb
  );
  create function keywords(books) returns tsvector language sql immutable as $$ select to_tsvector('simple', $1.title) $$;
  create function found_books() returns table (id int, words tsvector) language sql stable as
    $$ select id, words from books $$;
  insert into books
    select id, title, to_tsvector('english', title), to_tsvector('english', title), to_tsvector('english', title),
      jsonb_build_object('motto', title)
    from (values (1, 'running waters'), (2, 'the still lake')) as given (id, title);
  grant select on books to anon;
`;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ modules: [DataModule] });
  await server.project.database.query(librarySql);
});
afterAll(() => server.close());

it.each([
  ['books?title=fts(english).run', [1]],
  ['books?title=fts(simple).run', []],
  ['books?words=fts(english).run', [1]],
  ['books?marks=plfts(english).water', [1]],
  ['books?notes=phfts(english).still lake', [2]],
  ['books?notes=not.wfts(english).lake', [1]],
  ['books?info->>motto=fts(english).run', [1]],
  // Computed ones are documents already.
  ['books?keywords=fts(simple).lake', [2]],
  ['rpc/found_books?words=fts(english).lake', [2]],
])('searches %s in documents as they are, and in texts as documents', async (path, ids) => {
  const response = await fetch(`${server.url}/rest/v1/${path}&select=id&order=id`, {
    headers: { apikey: server.keys.publishableKey },
  });
  expect(await response.json()).toEqual(ids.map((id) => ({ id })));
});

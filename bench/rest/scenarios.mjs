// What is asked of each server. Where one cannot do it, it has no request here.
import { notes, projects } from './notes.mjs';

const asked = 1000;
const noteIds = Array.from({ length: asked }, (_, i) => ((i * 7919) % notes) + 1);
const projectIds = Array.from({ length: asked }, (_, i) => ((i * 7919) % projects) + 1);
const offsets = Array.from({ length: asked }, (_, i) => ((i * 7919) % 50) * 20);
const line = 'Something happened';
const bulk = JSON.stringify(Array.from({ length: 1000 }, (_, i) => ({ line: `Line ${i}` })));

const get = (paths) => ({ paths });
const post = (path, bodies, headers = {}) => ({
  method: 'POST',
  paths: [path],
  bodies,
  headers: { 'content-type': 'application/json', ...headers },
});
const minimal = { prefer: 'return=minimal' };
const graphql = (query, variables) =>
  post(
    '/graphql',
    variables.map((each) => JSON.stringify({ query, variables: each })),
  );
const noteFields = 'rowId owner projectId title body done';
const page = (paths, fields, more = '') =>
  graphql(
    `query ($offset: Int!) { allNotes(first: 20, offset: $offset, orderBy: ROW_ID_ASC) { nodes { ${noteFields} ${fields} } ${more} } }`,
    paths.map((offset) => ({ offset })),
  );
const records = (collection) => `/api/collections/${collection}/records`;
const pocketPage = (offset, more) =>
  `${records('notes')}?page=${offset / 20 + 1}&perPage=20&sort=number${more}`;

/** @param pocketId the id of PocketBase's record for a number of ours */
export const scenarios = (pocketId) => [
  {
    what: 'one row by id',
    rest: get(noteIds.map((id) => `/rest/v1/notes?id=eq.${id}`)),
    floor: get(noteIds.map((id) => `/row?id=eq.${id}`)),
    postgraphile: graphql(
      `query ($id: BigInt!) { noteByRowId(rowId: $id) { ${noteFields} } }`,
      noteIds.map((id) => ({ id: String(id) })),
    ),
    pocketbase: get(noteIds.map((id) => `${records('notes')}/${pocketId(id)}`)),
  },
  {
    what: '20 of 25,000 rows',
    rest: get(offsets.map((offset) => `/rest/v1/notes?order=id&limit=20&offset=${offset}`)),
    floor: get(offsets.map((offset) => `/page?offset=${offset}`)),
    postgraphile: page(offsets, ''),
    pocketbase: get(offsets.map((offset) => pocketPage(offset, '&skipTotal=1'))),
  },
  {
    what: 'the same with their count',
    rest: {
      ...get(offsets.map((offset) => `/rest/v1/notes?order=id&limit=20&offset=${offset}`)),
      headers: { prefer: 'count=exact' },
    },
    floor: get(offsets.map((offset) => `/counted?offset=${offset}`)),
    postgraphile: page(offsets, '', 'totalCount'),
    pocketbase: get(offsets.map((offset) => pocketPage(offset, ''))),
  },
  {
    what: '20 rows, each with the one it belongs to',
    rest: get(
      offsets.map((offset) => `/rest/v1/notes?select=*,projects(*)&order=id&limit=20&offset=${offset}`),
    ),
    floor: get(offsets.map((offset) => `/embed?offset=${offset}`)),
    postgraphile: page(offsets, 'projectByProjectId { rowId owner name }'),
    pocketbase: get(offsets.map((offset) => pocketPage(offset, '&skipTotal=1&expand=project'))),
  },
  {
    what: 'one row with 10, each with its own',
    rest: get(projectIds.map((id) => `/rest/v1/projects?select=*,notes(*,comments(*))&id=eq.${id}`)),
    floor: get(projectIds.map((id) => `/two?id=eq.${id}`)),
    postgraphile: graphql(
      `query ($id: BigInt!) { projectByRowId(rowId: $id) { rowId owner name notesByProjectId { nodes { ${noteFields}
        commentsByNoteId { nodes { rowId owner noteId body } } } } } }`,
      projectIds.map((id) => ({ id: String(id) })),
    ),
    pocketbase: get(
      projectIds.map(
        (id) => `${records('projects')}/${pocketId(id)}?expand=notes_via_project.comments_via_note`,
      ),
    ),
  },
  {
    what: 'insert one row',
    rest: post('/rest/v1/logs', [JSON.stringify({ line })], minimal),
    floor: post('/insert', [JSON.stringify({ line })]),
    postgraphile: graphql(
      'mutation ($line: String!) { createLog(input: { log: { line: $line } }) { clientMutationId } }',
      [{ line }],
    ),
    pocketbase: (owner) => post(records('logs'), [JSON.stringify({ line, owner })]),
  },
  {
    what: 'insert 1,000 rows',
    // What the database tidies up after many of them would disturb what is measured next.
    share: 0.25,
    rest: post('/rest/v1/logs', [bulk], minimal),
    floor: post('/bulk', [bulk]),
    pocketbase: (owner) =>
      post('/api/batch', [
        JSON.stringify({
          requests: JSON.parse(bulk).map((row) => ({
            method: 'POST',
            url: records('logs'),
            body: { ...row, owner },
          })),
        }),
      ]),
  },
  {
    what: 'call a function',
    rest: post(
      '/rest/v1/rpc/open_notes',
      projectIds.map((project) => JSON.stringify({ project })),
    ),
    floor: post(
      '/call',
      projectIds.map((project) => JSON.stringify({ project })),
    ),
    postgraphile: graphql(
      'query ($project: BigInt!) { openNotes(project: $project) }',
      projectIds.map((project) => ({ project: String(project) })),
    ),
  },
];

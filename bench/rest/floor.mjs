// The floor of the data API: a bare Node HTTP handler with `pg` that does for each line what somebody would write by hand.
import { createServer } from 'node:http';
import pg from 'pg';

const [connectionJson, claims] = process.argv.slice(2);
const pool = new pg.Pool({ ...JSON.parse(connectionJson), max: 10 });

const rowsOf = (select) => `select coalesce(json_agg(n), '[]')::text as body from (${select}) n`;
const pageOf = 'select * from public.notes order by id limit 20 offset $1';
const number = (url, name) => Number(url.searchParams.get(name).replace('eq.', ''));
const queries = {
  '/row': (url) => [rowsOf('select * from public.notes where id = $1'), [number(url, 'id')]],
  '/page': (url) => [rowsOf(pageOf), [number(url, 'offset')]],
  '/counted': (url) => [
    `select (${rowsOf(pageOf)}) as body, (select count(*) from public.notes) as total`,
    [number(url, 'offset')],
  ],
  '/embed': (url) => [
    rowsOf(`select n.*, row_to_json(p) as projects from (${pageOf}) n
            left join public.projects p on p.id = n.project_id order by n.id`),
    [number(url, 'offset')],
  ],
  '/two': (url) => [
    rowsOf(`select p.*, (
      select coalesce(json_agg(m), '[]') from (
        select n.*, (select coalesce(json_agg(c), '[]') from public.comments c where c.note_id = n.id) as comments
        from public.notes n where n.project_id = p.id) m) as notes
      from public.projects p where p.id = $1`),
    [number(url, 'id')],
  ],
  '/insert': (_url, body) => ['insert into public.logs (line) values ($1)', [JSON.parse(body).line]],
  '/bulk': (_url, body) => [
    'insert into public.logs (line) select line from json_to_recordset($1) as r (line text)',
    [body],
  ],
  '/call': (_url, body) => ['select public.open_notes($1)::text as body', [JSON.parse(body).project]],
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://floor');
  const parts = [];
  for await (const part of request) parts.push(part);
  const [text, values] = queries[url.pathname](url, Buffer.concat(parts).toString());
  const client = await pool.connect();
  try {
    await client.query(request.method === 'GET' ? 'begin read only' : 'begin');
    await client.query(
      "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)",
      [claims],
    );
    const { rows } = await client.query(text, values);
    await client.query('commit');
    const [{ body = '', total } = {}] = rows;
    response.writeHead(body === '' ? 201 : 200, {
      'content-type': 'application/json; charset=utf-8',
      ...(total && { 'content-range': `0-19/${total}` }),
    });
    response.end(body);
  } finally {
    client.release();
  }
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));

// The floor of the data API: a bare Node HTTP handler that does the same transaction with `pg`.
import { createServer } from 'node:http';
import pg from 'pg';

const [connectionJson, role, claims] = process.argv.slice(2);
const pool = new pg.Pool({ ...JSON.parse(connectionJson), max: 10 });

const server = createServer(async (request, response) => {
  const id = Number(new URL(request.url, 'http://floor').searchParams.get('id').slice('eq.'.length));
  const client = await pool.connect();
  try {
    await client.query('begin read only');
    await client.query("select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)", [
      role,
      claims,
    ]);
    const { rows } = await client.query(
      "select coalesce(json_agg(n), '[]')::text as body from (select * from public.notes where id = $1) n",
      [id],
    );
    await client.query('commit');
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
    response.end(rows[0].body);
  } finally {
    client.release();
  }
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));

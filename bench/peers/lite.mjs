// @supabase/lite on PostgreSQL: a part of PostgREST in TypeScript.
import { App, getAuthSchemaSql, SUPABASE_AUTH_HELPERS_SQL } from '@supabase/lite';
import { createPostgresConnection } from '@supabase/lite/postgres';
import { serve } from '@hono/node-server';
import postgres from 'postgres';

const [connectionJson, jwtSecret, publishableKey, userId] = process.argv.slice(2);
const { host, port, user, password, database } = JSON.parse(connectionJson);
const admin = postgres({ host, port, user, password, database, onnotice: () => {} });
await admin.unsafe(`${getAuthSchemaSql()}; ${SUPABASE_AUTH_HELPERS_SQL}`);
await admin`insert into auth.users (id, role) values (${userId}, 'authenticated')`;
await admin.end();
const connection = createPostgresConnection({
  url: `postgres://${user}:${password}@localhost:${port}/${database}`,
  postgresOptions: { host, port, max: 10 },
});
const app = new App({
  connection,
  auth: { enabled: true, jwt_secret: jwtSecret, publishable_key: publishableKey },
});
serve({ port: 0, hostname: '127.0.0.1', fetch: (request) => app.fetch(request) }, ({ port: served }) =>
  process.send(served),
);

// Signed-in people without their passwords: what a benchmark measures is not bcrypt.
import { createHmac, randomUUID } from 'node:crypto';
import pg from 'pg';

export const jwtSecret = 'the secret of a benchmark, of no use elsewhere';

export function signJwt(claims) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ ...claims, exp })}`;
  return `${signed}.${createHmac('sha256', jwtSecret).update(signed).digest('base64url')}`;
}

/** Accounts in `auth.users`, each with its access token. */
export async function makePeople(connection, count) {
  const people = Array.from({ length: count }, () => {
    const id = randomUUID();
    return { id, token: signJwt({ role: 'authenticated', aud: 'authenticated', sub: id }) };
  });
  const client = new pg.Client(connection);
  await client.connect();
  await client.query(
    `insert into auth.users (id, aud, role, email) select id, 'authenticated', 'authenticated', id || '@example.com'
     from unnest($1::uuid[]) id`,
    [people.map(({ id }) => id)],
  );
  await client.end();
  return people;
}

import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { AuthModule } from '#libs/auth';
import { startTestServer, type TestServer } from '../support/server.js';
import { signInAgain, signUpPerson, type Person } from './people.js';

let server: TestServer;
let ann: Person;

interface Told {
  name: string;
  payload: { record: Record<string, unknown>; old_record?: Record<string, unknown> };
  request_id: string;
}
const told = async () => {
  const { rows } = await server.project.database.query<Told>(
    'select name, payload, request_id from galley.outbox order by position',
  );
  return rows;
};
const names = async () => (await told()).map(({ name }) => name);

beforeAll(async () => {
  server = await startTestServer({ modules: [AuthModule] });
});
beforeEach(async () => {
  ann = await signUpPerson(server);
  await server.project.database.query('truncate galley.outbox');
});
afterAll(() => server.close());

it('a sign-up tells of the account and then of its session, and of no change', async () => {
  await signUpPerson(server);
  expect(await names()).toEqual(['user.created', 'user.signed_in']);
});

it('a sign-in tells who, with the request that it came by, and a refreshed session tells nothing', async () => {
  await signInAgain(server, ann);
  await ann.client.auth.refreshSession();
  const [event, ...others] = await told();
  expect(others).toEqual([]);
  expect(event).toMatchObject({
    name: 'user.signed_in',
    payload: { record: { id: ann.id, email: ann.email } },
  });
  expect(event!.payload.record['last_sign_in_at']).not.toBeNull();
  expect(event!.request_id).not.toBe('');
});

it('a changed account is told as it is and as it was, without secrets', async () => {
  await ann.client.auth.updateUser({ data: { city: 'Bern' }, password: 'another correct horse' });
  const [event] = await told();
  expect(event).toMatchObject({
    name: 'user.updated',
    payload: { record: { id: ann.id, raw_user_meta_data: { city: 'Bern' } }, old_record: { id: ann.id } },
  });
  expect(event!.payload.old_record!['raw_user_meta_data']).not.toHaveProperty('city');
  const columns = Object.keys({ ...event!.payload.record, ...event!.payload.old_record });
  expect(columns.filter((column) => /password|token/.test(column))).toEqual([]);
});

it('a new password alone is a change', async () => {
  await ann.client.auth.updateUser({ password: 'a third correct horse' });
  expect(await names()).toEqual(['user.updated']);
});

it('an account that goes, or is marked as deleted, is told of once, by whatever statement', async () => {
  const bob = await signUpPerson(server);
  await server.project.database.query('truncate galley.outbox');
  await server.project.database.query('delete from auth.users where id = $1', [ann.id]);
  await server.project.database.query('update auth.users set deleted_at = now() where id = $1', [bob.id]);
  await server.project.database.query('delete from auth.users where id = $1', [bob.id]);
  expect((await told()).map(({ name, payload }) => [name, payload.record['id']])).toEqual([
    ['user.deleted', ann.id],
    ['user.deleted', bob.id],
  ]);
});

it('what is rolled back is not told', async () => {
  const undone = server.project.database.asSystem(async (tx) => {
    await tx.query('delete from auth.users where id = $1', [ann.id]);
    throw new Error('changed my mind');
  });
  await expect(undone).rejects.toThrow('changed my mind');
  expect(await names()).toEqual([]);
});

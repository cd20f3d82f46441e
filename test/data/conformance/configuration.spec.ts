import { beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { ask, withLibrary } from './library.js';

const { server } = withLibrary({ PGRST_DB_MAX_ROWS: '3' });
const sql = (text: string) => server().project.database.query<{ name: string }>(text);
const rows = async () => ((await ask(server(), 'books?select=id')).body as unknown[]).length;

/** What the role that connects is told to have; of this database alone, since roles belong to all of them. */
async function setInDatabase(setting: string): Promise<void> {
  const { name } = (await sql('select current_database() as name')).rows[0]!;
  await sql(`alter role authenticator in database "${name}" ${setting}`);
}

beforeAll(async () => {
  expect(await rows()).toBe(3);
});

describe('a setting in the database', () => {
  it('is read again at the word for the configuration', async () => {
    await setInDatabase('set pgrst.db_max_rows = 2');
    await sql(`notify pgrst, 'reload config'`);
    await eventually(async () => (await rows()) === 2);
  });

  it('is read again at the word for the schema, too', async () => {
    await setInDatabase('set pgrst.db_max_rows = 1');
    await sql(`notify pgrst, 'reload schema'`);
    await eventually(async () => (await rows()) === 1);
  });

  it('is read again at a word for both', async () => {
    await setInDatabase('set pgrst.db_max_rows = 2');
    await sql('notify pgrst');
    await eventually(async () => (await rows()) === 2);
  });

  it('is read again when who listens was cut off and is back', async () => {
    await setInDatabase('set pgrst.db_max_rows = 1');
    await sql(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen "pgrst"'`);
    await eventually(async () => (await rows()) === 1);
  });

  it('gone leaves that of the environment', async () => {
    await setInDatabase('reset pgrst.db_max_rows');
    await sql(`notify pgrst, 'reload config'`);
    await eventually(async () => (await rows()) === 3);
  });
});

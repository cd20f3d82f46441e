import { beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { ask, withLibrary } from './library.js';

const { server } = withLibrary();
let database: string;

beforeAll(async () => {
  const { rows } = await server().project.database.query<{ name: string }>(
    'select current_database() as name',
  );
  database = rows[0]!.name;
});

/** Lets the database take connections or not, and ends those that there are. */
async function takeConnections(allowed: boolean): Promise<void> {
  const { database: other } = server().platform;
  await other.query(`alter database "${database}" with allow_connections ${allowed}`);
  await other.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [database]);
}

async function authors() {
  const { status, headers, body } = await ask(server(), 'authors?select=id&id=eq.1');
  return { status, retryAfter: headers.get('retry-after'), body: body as { code?: string } };
}

describe('a database that takes no connections', () => {
  it('is PGRST002 while the schema is not known', async () => {
    await takeConnections(false);
    expect(await authors()).toMatchObject({
      status: 503,
      body: {
        code: 'PGRST002',
        message: 'Could not query the database for the schema cache. Retrying.',
        details: null,
        hint: null,
      },
    });
  });

  it('is used as soon as it does', async () => {
    await takeConnections(true);
    expect(await eventually(async () => ((await authors()).status === 200 ? authors() : null))).toMatchObject(
      {
        body: [{ id: 1 }],
      },
    );
  });

  it('is PGRST000 to requests that know it', async () => {
    await takeConnections(false);
    await eventually(async () => (await authors()).body.code === 'PGRST000');
    expect(await authors()).toEqual({
      status: 503,
      retryAfter: '1',
      body: {
        code: 'PGRST000',
        message: 'Database connection error.',
        details: `database "${database}" is not currently accepting connections`,
        hint: null,
      },
    });
    await takeConnections(true);
    await eventually(async () => (await authors()).status === 200);
  });
});

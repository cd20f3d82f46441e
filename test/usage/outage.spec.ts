import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { PlatformDatabase } from '#libs/platform';
import { UsageLedger } from '#libs/usage';
import pino from 'pino';
import { cloneDatabases, type TestDatabases } from '../support/database.js';
import { eventually } from '../support/eventually.js';

let databases: TestDatabases;
let database: PlatformDatabase;

beforeAll(async () => {
  databases = await cloneDatabases();
  database = await PlatformDatabase.open(
    { connectionString: databases.projectUrl.replace(/\/[^/?]*(\?|$)/, `/${databases.platformName}$1`) },
    databases.platformName,
  );
});
afterAll(async () => {
  await database.close();
  await databases.drop();
});

it('usage that cannot be written is tried again ever more seldom, and is written once when it can be', async () => {
  const toldAt: number[] = [];
  const logger = pino({ level: 'warn' }, { write: () => void toldAt.push(performance.now()) });
  const ledger = new UsageLedger(database, logger);
  await database.query(
    `insert into projects (ref, sealed_keys) values ('outage', '\\x') on conflict do nothing`,
  );
  await database.query('alter table usage_writers rename to gone');
  ledger.addMeter('outage', 'events', 7, new Date());
  await eventually(() => toldAt.length >= 4, { within: 45_000 });
  const [first, , , fourth] = toldAt as [number, number, number, number];
  // Twice as long after each further failure; the timers may each be a little early.
  expect(fourth - first).toBeGreaterThan(1_700);

  await database.query('alter table gone rename to usage_writers');
  const written = () =>
    database.query<{ amount: string }>(`select amount from meter_hours where project_ref = 'outage'`);
  await eventually(async () => (await written()).rows.length > 0, { within: 30_000 });
  await ledger.onApplicationShutdown();
  expect((await written()).rows).toEqual([{ amount: '7' }]);
}, 90_000);

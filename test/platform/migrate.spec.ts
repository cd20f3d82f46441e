import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate, type Migration, type MigrationLedger } from '#libs/platform';
import { startTestServer, type TestServer } from '../support/server.js';

const ledger: MigrationLedger = {
  lockKey: 7,
  prepare: async (tx) =>
    void (await tx.query('create table if not exists ran (name text primary key, checksum text)')),
  applied: async (tx, { name }) => {
    const { rows } = await tx.query<{ checksum: string }>('select checksum from ran where name = $1', [name]);
    return rows[0]?.checksum;
  },
  record: async (tx, { name }, checksum) =>
    void (await tx.query('insert into ran values ($1, $2)', [name, checksum])),
};

describe('migrations', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [] });
  });
  afterAll(() => server.close());

  const run = (migrations: readonly Migration[]) =>
    migrate((work) => server.project.database.asSystem(work), migrations, ledger);

  it('are applied once, in the order of their names', async () => {
    const migrations = [
      { name: '2_row', sql: "insert into steps values ('second')" },
      { name: '1_table', sql: 'create table steps (name text)' },
    ];
    expect(await run(migrations)).toEqual(['1_table', '2_row']);
    expect(await run(migrations)).toEqual([]);
    expect((await server.project.database.query('select * from steps')).rows).toEqual([{ name: 'second' }]);
  });

  it('are applied once by servers that start together', async () => {
    const migrations = [{ name: '3_once', sql: 'create table once (n integer)' }];
    const results = await Promise.all([run(migrations), run(migrations), run(migrations)]);
    expect(results.flat()).toEqual(['3_once']);
  });

  it('leave nothing of one that fails, and say where it failed', async () => {
    const broken = { name: '4_broken', sql: 'create table half (n integer);\nselect nonsense;' };
    await expect(run([broken])).rejects.toThrow(
      'Migration 4_broken failed: column "nonsense" does not exist (line 2)',
    );
    expect((await server.project.database.query("select to_regclass('half') as t")).rows).toEqual([
      { t: null },
    ]);
  });

  it('are refused when one was changed after it had been applied', async () => {
    await expect(run([{ name: '1_table', sql: 'select 1' }])).rejects.toThrow(
      'Migration 1_table was changed after it had been applied',
    );
  });

  it('describe the same platform tables as the Prisma schema', async () => {
    // Reading through Prisma names every column of the model; one that is missing in the database is an error.
    const { prisma } = server.platform.database;
    await Promise.all([
      prisma.project.findMany(),
      prisma.function.findMany(),
      prisma.deployment.findMany(),
      prisma.secret.findMany(),
      prisma.functionLog.findMany(),
      prisma.subscription.findMany(),
      prisma.delivery.findMany(),
      prisma.deliveryRequest.findMany(),
      prisma.webhook.findMany(),
      prisma.invocation.findMany(),
      prisma.requestCount.findMany(),
      prisma.backgroundUsage.findMany(),
      prisma.invocationHour.findMany(),
      prisma.reservedPeak.findMany(),
      prisma.meterHour.findMany(),
      prisma.gaugeHour.findMany(),
      prisma.activeUser.findMany(),
      prisma.priceBook.findMany(),
      prisma.budget.findMany(),
      prisma.budgetNotice.findMany(),
      prisma.usageWriter.findMany(),
      prisma.accessToken.findMany(),
      prisma.build.findMany(),
      prisma.buildLogLine.findMany(),
    ]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PlatformDatabase, Sql } from '#libs/platform';
import { UsageLedger } from '#libs/usage';
import { rowMeters } from './row-meters.js';
import { startUsageServer, type UsageServer } from './usage-server.js';

let server: UsageServer;
beforeAll(async () => {
  server = await startUsageServer();
});
afterAll(() => server.close());

describe('the ledger', () => {
  it('counts for a project although what is counted for another is refused', async () => {
    const ledger = new UsageLedger(server.platform.database, server.platform.logger);
    const before = await rowMeters(server);
    const now = new Date();
    ledger.addMeter('no-project', 'rows_read', 1, now);
    ledger.addRequest('no-project', 'rest', now, { requests: 1, bytesIn: 1, bytesOut: 1 });
    ledger.addMeter(server.project.ref, 'rows_read', 7, now);
    await ledger.flush();
    ledger.addMeter(server.project.ref, 'rows_read', 1, now);
    await ledger.flush();
    expect(await rowMeters(server)).toEqual({ ...before, rows_read: before.rows_read + 8 });
  });

  it('counts once what was committed without its hearing of it', async () => {
    const { database, logger } = server.platform;
    let isLost = true;
    const flaky = {
      async transaction(work: (tx: Sql) => Promise<void>) {
        await database.transaction(work);
        if (!isLost) return;
        isLost = false;
        throw new Error('The connection was lost at the commit');
      },
    };
    const ledger = new UsageLedger(flaky as PlatformDatabase, logger);
    const before = await rowMeters(server);
    ledger.addMeter(server.project.ref, 'rows_read', 10, new Date());
    await ledger.flush();
    ledger.addMeter(server.project.ref, 'rows_read', 5, new Date());
    await ledger.flush();
    expect(isLost).toBe(false);
    expect(await rowMeters(server)).toEqual({ ...before, rows_read: before.rows_read + 15 });
  });
});

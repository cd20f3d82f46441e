import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { usageCommand } from '../../apps/cli/src/usage.js';
import { startUsageServer, type UsageServer } from './usage-server.js';

let server: UsageServer;
beforeAll(async () => {
  server = await startUsageServer();
  await server.record(
    Array.from({ length: 3 }, () => server.newRecord('told', new Date('2020-05-01T10:00:00Z'))),
  );
});
afterAll(() => server.close());

async function told(options: Record<string, string> = {}) {
  const lines: string[] = [];
  const notes: string[] = [];
  await usageCommand.run({
    args: [],
    options: { from: '2020-05-01', to: '2020-06-01', ...options },
    say: (line) => lines.push(line),
    note: (line) => notes.push(line),
    connect: async () => ({ url: server.url, token: server.keys.secretKey }),
  });
  return { rows: lines.join('\n').split('\n'), notes: notes.join('\n') };
}

const prices = (book: object) => server.manage('PUT', '/prices', book);

describe('galley usage', () => {
  it('compares with published prices where there are none', async () => {
    const { notes } = await told();
    expect(notes).toMatch(/in USD at the prices of AWS Lambda \(2026-\S+\); here it costs nothing\./);
  });

  it('tells what one’s own prices say, also where memory has none', async () => {
    await prices({ name: 'Ours', currency: 'EUR', rates: [{ of: 'invocations', price: 2 }] });
    const { rows, notes } = await told();
    expect(rows[1]).toMatch(/^told +3 +0\.07 +6\.00 +6\.00 +- +-$/);
    expect(notes).toContain('in EUR at the prices of Ours.');
    expect(notes).not.toContain('costs nothing');
  });

  it('tells the whole bill where more than functions has a price', async () => {
    await server.rows(
      `insert into meter_hours (project_ref, hour, meter, amount) values ($1, '2020-05-02T00:00:00Z', 'rows_read', 50)`,
      [server.project.ref],
    );
    const invocations = { of: 'invocations', price: 2 };
    const rates = [invocations, { of: 'rows_read', price: 0.5 }];
    await prices({ name: 'Ours', currency: 'EUR', rates });
    expect((await told()).notes).toContain("With all that is no function's: 31.00 so far, 31.00 projected.");
    await prices({ name: 'Ours', currency: 'EUR', rates: [invocations] });
    expect((await told()).notes).not.toContain('no function');
  });
});

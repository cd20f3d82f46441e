import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { telling, tellingTables } from '../events/telling-function.js';
import { eventually } from '../support/eventually.js';
import type { Installation, Victim } from '../support/installation.js';
import { killedInBothSizes } from '../support/both-sizes.js';

const customers = ['ann', 'bob', 'cleo'];
const rows = 90;
const permissions = { tables: { 'public.told': ['insert'], 'public.told_batch': ['insert'] } };
const recoveryMs = 60_000;
const inserted = {
  event: 'row.inserted',
  table: 'public.jobs',
  retry: { delays_ms: [100, 1_000, 2_000] },
  attempts: 20,
};

/** What the order, the batches and the ends of deliveries promise while processes die. */
function killedEvents(size: string, victims: readonly Victim[], install: () => Promise<Installation>): void {
  describe(`whatever is killed, ${size}`, () => {
    let galley: Installation;

    const deploy = async (slug: string, on: object, source: string) => {
      const form = new FormData();
      const manifest = { permissions, on: [on] };
      form.append('metadata', JSON.stringify({ entrypoint_path: 'index.ts', galley: manifest }));
      form.append('file', new Blob([source]), 'index.ts');
      const response = await fetch(`${galley.url}/v1/projects/local/functions/deploy?slug=${slug}`, {
        method: 'POST',
        body: form,
        headers: { authorization: `Bearer ${galley.secretKey}` },
      });
      expect(response.status).toBe(201);
    };
    /** Sent again when PostgreSQL was away. */
    const change = (id: number) =>
      eventually(
        () =>
          galley
            .query('project', `insert into public.jobs values ($1, $2) on conflict (id) do nothing`, [
              id,
              customers[id % customers.length],
            ])
            .then(
              () => true,
              () => false,
            ),
        { within: recoveryMs, what: `row ${id}` },
      );

    beforeAll(async () => {
      galley = await install();
      await galley.query(
        'project',
        `${tellingTables} create table public.told_batch (like public.told including defaults); notify galley_schema;`,
      );
      // So that a blow meets some of them under way.
      const slowly = telling('await new Promise((resolve) => setTimeout(resolve, 30, new Response()))');
      await deploy('orderly', { ...inserted, ordering_key: 'customer' }, slowly);
      const apart = slowly.replace('/told', '/told_batch');
      await deploy('batching', { ...inserted, batch: { size: 5, window_ms: 300 } }, apart);
    }, 120_000);
    afterAll(() => galley?.stop(), 60_000);

    it(
      `each change is succeeded with once, and in its order, while ${victims.join(', ')} are killed`,
      async () => {
        for (let id = 1; id <= rows; id++) {
          await change(id);
          await delay(10);
          if (id % 15 !== 0) continue;
          await galley.kill(victims[(id / 15) % victims.length]!);
          await galley.revive();
        }
        const undone = `begin; insert into public.jobs values (1000, 'ann'); rollback`;
        await eventually(
          () =>
            galley.query('project', undone).then(
              () => true,
              () => false,
            ),
          { within: recoveryMs },
        );
        await eventually(
          async () => {
            const [all] = await galley
              .query<{ ended: number }>(
                'platform',
                `select (count(*) filter (where finished_at is not null))::integer as ended from deliveries`,
              )
              .catch(() => []);
            return all?.ended === rows * 2;
          },
          { within: recoveryMs * 2, what: 'all deliveries having ended' },
        );
        const ended = await galley.query<{ slug: string; successes: number; state: string; n: number }>(
          'platform',
          `select function_slug as slug, state, count(*)::integer as n,
             sum((select count(*) from invocations i where i.delivery_id = d.id and i.status = 'succeeded')
               + (select count(*) from batch_items b where b.delivery_id = d.id and b.succeeded))::integer as successes
           from deliveries d group by 1, 2 order by 1`,
        );
        expect(ended).toEqual([
          { slug: 'batching', state: 'succeeded', n: rows, successes: rows },
          { slug: 'orderly', state: 'succeeded', n: rows, successes: rows },
        ]);
        const told = await galley.query<{ id: number; customer: string }>(
          'project',
          'select id, customer from public.told order by position',
        );
        for (const customer of customers) {
          const ids = told.filter((one) => one.customer === customer).map(({ id }) => id);
          // A try that was cut short is made again.
          const once = ids.filter((id, i) => id !== ids[i - 1]);
          expect(once).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
          expect(once).toHaveLength(rows / customers.length);
        }
        const batched = await galley.query<{ id: number }>(
          'project',
          'select distinct id from public.told_batch',
        );
        expect(batched).toHaveLength(rows);
      },
      recoveryMs * 4,
    );
  });
}

killedInBothSizes(killedEvents, {
  embedded: ['server', 'function', 'postgres'],
  outgrown: ['worker', 'function', 'server', 'worker'],
});

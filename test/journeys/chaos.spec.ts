import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { installEmbedded, installOutgrown, type Installation, type Victim } from '../support/installation.js';
import { redisIsInstalled, startOwnRedis, type OwnRedis } from '../support/own-redis.js';
import { s3 } from '../support/environment.js';

const blowsMs = 60_000;
const betweenBlowsMs = { least: 1_500, most: 4_000 };
const recoveryMs = 180_000;
const measuredChanges = 400;
/** Every so many changes one is rolled back. */
const rolledBackEach = 10;
/** Every so many changes one is of a table whose rows are handled in their order, those of each lane. */
const orderedEach = 3;
const lanes = 7;

const answering = 'Deno.serve(async (request) => { await request.json(); return new Response(); });';
const files = {
  'galley.toml': `
[functions.witness]
concurrency = 16
max_instances = 2
attempts = 20
[[functions.witness.on]]
event = "row.inserted"
table = "public.changes"

[functions.orderly]
concurrency = 16
max_instances = 2
attempts = 20
[[functions.orderly.on]]
event = "row.inserted"
table = "public.steps"
ordering_key = "lane"
`,
  'supabase/migrations/20260101000000_changes.sql': `
    create table public.changes (id bigint primary key);
    create table public.steps (id bigint primary key, lane bigint generated always as (id % ${lanes}) stored);`,
  'supabase/functions/witness/index.ts': answering,
  'supabase/functions/orderly/index.ts': answering,
};

async function projectFolder(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'galley-chaos-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

function chaos(
  size: string,
  blows: readonly (Victim | 'cut')[],
  install: (project: string) => Promise<{ galley: Installation; redis: OwnRedis | null }>,
): void {
  describe(`after a minute of blows, ${size}`, () => {
    let project: string;
    let galley: Installation;
    let redis: OwnRedis | null;
    let nextId = 1;

    beforeAll(async () => {
      project = await projectFolder();
      ({ galley, redis } = await install(project));
      const subscribed = await galley.query('platform', 'select from subscriptions');
      // What could not be built is told in the log, and would be missing only at the end.
      if (subscribed.length !== 2) throw new Error(galley.logs());
    }, 120_000);
    afterAll(async () => {
      await galley?.stop();
      await rm(project, { recursive: true, force: true });
    }, 60_000);

    const insert = (ids: readonly number[]) =>
      galley.query('project', 'insert into public.changes select unnest($1::bigint[])', [ids]);
    const open = async () => {
      const [left] = await galley.query<{ count: number }>(
        'platform',
        `select count(*)::integer as count from deliveries where state in ('queued', 'running')`,
      );
      const [waiting] = await galley.query<{ count: number }>(
        'project',
        'select count(*)::integer as count from galley.outbox',
      );
      return left!.count + waiting!.count;
    };
    const succeeded = async () => {
      const [row] = await galley.query<{ count: number }>(
        'platform',
        `select count(*)::integer as count from deliveries where state = 'succeeded'`,
      );
      return row!.count;
    };

    /** How many changes a second are handled, when nothing is in the way. */
    async function sustainedRate(): Promise<number> {
      const ids = Array.from({ length: measuredChanges }, () => nextId++);
      const beganAt = performance.now();
      await insert(ids);
      await eventually(async () => (await succeeded()) === measuredChanges, { within: recoveryMs });
      return (measuredChanges * 1000) / (performance.now() - beganAt);
    }

    /** Changes rows at a rate until it is told to stop; some are rolled back, some meet a database that is away. */
    async function drive(perSecond: number, isOver: () => boolean): Promise<void> {
      const beganAt = performance.now();
      for (let made = 0; !isOver(); made += 1) {
        const dueMs = (made * 1000) / perSecond - (performance.now() - beganAt);
        if (dueMs > 1) await delay(dueMs);
        const id = nextId++;
        const insertion = `insert into public.${id % orderedEach === 0 ? 'steps' : 'changes'} values (${id})`;
        const text = id % rolledBackEach === 0 ? `begin; ${insertion}; rollback` : insertion;
        await galley.query('project', text).catch(() => {});
      }
    }

    async function strike(until: number): Promise<string[]> {
      const struck: string[] = [];
      while (performance.now() < until) {
        const { least, most } = betweenBlowsMs;
        await delay(least + Math.random() * (most - least));
        const blow = blows[Math.floor(Math.random() * blows.length)]!;
        if (blow === 'cut') redis!.cut();
        else await galley.kill(blow).catch(() => false);
        struck.push(blow);
        await delay(Math.random() * 1_000);
        await galley.revive();
      }
      return struck;
    }

    it(
      'each committed change has been handled once and in its order, and none that was rolled back',
      async () => {
        const rate = await sustainedRate();
        const until = performance.now() + blowsMs;
        const driving = drive(rate / 2, () => performance.now() >= until);
        const struck = await strike(until);
        await driving;
        const quiet = () =>
          open().then(
            (count) => count === 0,
            () => false,
          );
        await eventually(quiet, { within: recoveryMs, what: 'all events having been handled' });
        const changes = await galley.query<{ id: string }>(
          'project',
          `select id::text from (select id from public.changes union all select id from public.steps) as all_changes
           order by all_changes.id`,
        );
        const handled = await galley.query<{ id: string; records: number; states: string[] }>(
          'platform',
          `select d.payload -> 'record' ->> 'id' as id, array_agg(distinct d.state) as states,
                  count(i.id) filter (where i.status = 'succeeded')::integer as records
           from deliveries d left join invocations i on i.delivery_id = d.id
           group by 1 order by (d.payload -> 'record' ->> 'id')::bigint`,
        );
        process.stderr.write(
          `${size}: ${rate.toFixed(0)} changes/s sustained, ${changes.length} committed at half of it, ${struck.length} blows: ${struck.join(' ')}\n`,
        );
        expect(changes.length).toBeGreaterThan(measuredChanges);
        expect(handled.map(({ id }) => id)).toEqual(changes.map(({ id }) => id));
        expect(
          handled.filter(({ records, states }) => records !== 1 || states.join() !== 'succeeded'),
        ).toEqual([]);
        const steps = await galley.query<{ lane: string; ids: number[] }>(
          'platform',
          `select d.ordering_key as lane,
                  array_agg((d.payload -> 'record' ->> 'id')::integer order by i.started_at) as ids
           from deliveries d join invocations i on i.delivery_id = d.id and i.status = 'succeeded'
           where d.ordering_key is not null group by 1`,
        );
        expect(steps.length).toBe(lanes);
        for (const { lane, ids } of steps) {
          expect({ lane, ids }).toEqual({ lane, ids: ids.toSorted((a, b) => a - b) });
        }
      },
      blowsMs + 2 * recoveryMs,
    );
  });
}

chaos('embedded', ['server', 'function', 'postgres'], async (project) => ({
  galley: await installEmbedded(project),
  redis: null,
}));

if (s3 !== undefined && redisIsInstalled) {
  chaos('on Redis and S3', ['server', 'worker', 'function', 'postgres', 'redis', 'cut'], async (project) => {
    const redis = await startOwnRedis();
    return { galley: await installOutgrown(project, redis), redis };
  });
} else {
  it.skip('on Redis and S3: redis-server is not installed, or GALLEY_TEST_S3_ENDPOINT is not set', () => {});
}

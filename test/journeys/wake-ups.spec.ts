import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import type { Installation, Victim } from '../support/installation.js';
import { killedInBothSizes } from '../support/both-sizes.js';

const source = `Deno.serve(() => new Response('ok'));`;
const manifest = {
  max_instances: 2,
  schedule: [{ name: 'tick', cron: '* * * * * *', overlap: 'allow', missed: 'all' }],
  on: [{ event: 'queue.message', queue: 'orders' }],
};
/** Between two blows: long enough for something to be under way, and for a recovery to begin. */
const blowEveryMs = 3_000;
const recoveryMs = 60_000;

function wakeUps(size: string, victims: readonly Victim[], install: () => Promise<Installation>): void {
  describe(`whatever is killed, ${size}`, () => {
    let galley: Installation;
    beforeAll(async () => {
      galley = await install();
    }, 120_000);
    afterAll(() => galley?.stop(), 60_000);

    it(
      'every second of a schedule and every message that was sent wakes its function, once',
      async () => {
        await galley.query('project', `select pgmq.create('orders')`);
        await deploy(galley);
        const sending = new AbortController();
        const sent = sendWhile(galley, sending.signal);
        for (const victim of victims) {
          await delay(blowEveryMs);
          await galley.kill(victim);
          await galley.revive();
        }
        await delay(blowEveryMs);
        sending.abort();
        const messages = await sent;
        expect(messages.length).toBeGreaterThan(10);

        await eventually(
          async () => (await galley.query('project', 'select from pgmq.q_orders')).length === 0,
          {
            within: recoveryMs,
            what: 'an empty queue',
          },
        );
        await galley.query('platform', 'update schedules set paused = true');
        const isOpen = () =>
          galley.query('platform', `select from deliveries where state in ('queued', 'running')`);
        await eventually(async () => (await isOpen()).length === 0, {
          within: recoveryMs,
          what: 'the end of all deliveries',
        });
        await expectOneSuccessEach(galley);
        const told = await galley.query<{ message: number }>(
          'platform',
          `select (payload #>> '{record,message}')::int as message from deliveries where event_name = 'queue.message'`,
        );
        // A message whose sending was cut off may have been sent; one that was acknowledged was.
        expect(told.map(({ message }) => message)).toEqual(expect.arrayContaining(messages));
        const seconds = await galley.query<{ second: number }>(
          'platform',
          `select extract(epoch from occurred_at)::int as second from deliveries
           where event_name = 'schedule.fired' order by 1`,
        );
        const first = seconds[0]!.second;
        expect(seconds.map(({ second }) => second)).toEqual(seconds.map((_, i) => first + i));
        expect(seconds.length).toBeGreaterThan((victims.length * blowEveryMs) / 1000);
      },
      recoveryMs * 4,
    );
  });
}

async function deploy({ url, secretKey }: Installation): Promise<void> {
  const form = new FormData();
  form.append('metadata', JSON.stringify({ entrypoint_path: 'index.ts', galley: manifest }));
  form.append('file', new Blob([source]), 'index.ts');
  const response = await fetch(`${url}/v1/projects/local/functions/deploy?slug=woken`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secretKey}` },
    body: form,
  });
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
}

/** Sends numbers until `signal`; returns those that were acknowledged. */
async function sendWhile(galley: Installation, signal: AbortSignal): Promise<number[]> {
  const acknowledged: number[] = [];
  for (let number = 0; !signal.aborted; number++) {
    await galley
      .query('project', 'select galley.send($1, to_jsonb($2::int), $3)', ['orders', number, number % 3])
      .then(
        () => acknowledged.push(number),
        () => delay(50),
      );
    await delay(20);
  }
  return acknowledged;
}

async function expectOneSuccessEach(galley: Installation): Promise<void> {
  const deliveries = await galley.query<{ state: string; successes: number; events: number }>(
    'platform',
    `select d.state, (select count(*)::int from invocations i where i.delivery_id = d.id and i.status = 'succeeded')
              as successes, (select count(*)::int from deliveries o where o.event_id = d.event_id) as events
     from deliveries d`,
  );
  const wrong = deliveries.filter(
    ({ state, successes, events }) => state !== 'succeeded' || successes !== 1 || events !== 1,
  );
  expect(wrong).toEqual([]);
}

killedInBothSizes(wakeUps, {
  embedded: ['server', 'function', 'server', 'postgres'],
  outgrown: ['worker', 'server', 'worker', 'postgres'],
});

// From a committed row to the end of the function that it woke: many at once, one at a time, and slow ones that scale.
import { fork, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import {
  deployFunction,
  freePort,
  functionInstances,
  newDataDir,
  root,
  startGalley,
} from './galley-process.mjs';
import { longBacklog, manyUploads } from './events-at-scale.mjs';
import { startPostgres } from './postgres.mjs';

const many = 3_000;
/** The best of them counts, of ours and of the floor. */
const rounds = 4;
const concurrency = 32;
const single = 100;
const slow = { jobs: 1_000, ms: 100, instances: 4 };
const longestMs = 10 * 60_000;

export async function benchEvents() {
  return [...(await onBackend('PostgreSQL', null, 25)), ...(await onRedis())];
}

async function onRedis() {
  const redis = await startRedis();
  if (redis === null) return [{ what: 'on Redis', value: 'not measured: there is no redis-server here' }];
  try {
    return await onBackend('Redis', redis.url, 10);
  } finally {
    redis.stop();
  }
}

async function onBackend(name, redisUrl, startReachMs) {
  const postgres = await startPostgres();
  const floorSeconds = await bareQueue({ redisUrl, connection: postgres.connection });
  const environment = { ...postgres.environment, ...(redisUrl && { REDIS_URL: redisUrl }) };
  const galley = await startGalley({ dataDir: newDataDir(), environment });
  const project = new pg.Client(postgres.connection);
  const platform = new pg.Client({ ...postgres.connection, database: 'galley' });
  await Promise.all([project.connect(), platform.connect()]);
  const bench = { galley, project, platform };
  try {
    const throughput = await manyAtOnce(bench);
    const startMs = await commitToStart(bench);
    const scaled = await slowOnes(bench);
    const atScale = [...(await manyUploads(name, bench)), ...(await longBacklog(name, bench))];
    const ratio = floorSeconds / throughput;
    return [
      { what: `${name}: ${many} events at once`, value: `${Math.round(many / throughput)}/s` },
      { what: `${name}: bare BullMQ, add and process`, value: `${Math.round(many / floorSeconds)}/s` },
      { what: `${name}: ratio`, value: ratio.toFixed(2), reach: '≥ 0.5', met: ratio >= 0.5 },
      {
        what: `${name}: from the change to the start of a warm function, p50`,
        value: `${startMs.toFixed(1)} ms`,
        reach: `≤ ${startReachMs} ms`,
        met: startMs <= startReachMs,
      },
      ...scaledLines(name, scaled),
      ...atScale,
    ];
  } finally {
    await Promise.all([project.end(), platform.end()]);
    await galley.stop();
    galley.remove();
    await postgres.stop();
  }
}

function scaledLines(name, { seconds, turns, emptySeconds }) {
  const idealSeconds = (slow.jobs * slow.ms) / 1000 / slow.instances;
  const ratio = seconds / idealSeconds;
  return [
    {
      what: `${name}: ${slow.jobs} runs of ${slow.ms} ms on up to ${slow.instances} instances`,
      value: `${seconds.toFixed(1)} s, ${ratio.toFixed(2)} of the ideal`,
      reach: '≤ 1.3',
      met: ratio <= 1.3,
    },
    {
      what: `${name}: times that the number of instances turned`,
      value: String(turns),
      reach: '≤ 1',
      met: turns <= 1,
    },
    { what: `${name}: none left after`, value: `${emptySeconds.toFixed(1)} s` },
  ];
}

/** Seconds from before a change until the last of its events has ended. */
async function manyAtOnce(bench) {
  await subscribe(bench, 'many', 'Deno.serve(() => new Response());', { concurrency, max_instances: 1 });
  await change(bench, 'many', 200);
  await untilEnded(bench, 'many', 200);
  const seconds = [];
  for (let round = 1; round <= rounds; round++) {
    const startedAt = performance.now();
    await change(bench, 'many', many);
    await untilEnded(bench, 'many', 200 + round * many);
    seconds.push((performance.now() - startedAt) / 1000);
  }
  return Math.min(...seconds);
}

/** The middle of the times between a change and the beginning of its warm invocation. */
async function commitToStart(bench) {
  for (let n = 1; n <= single; n++) {
    await change(bench, 'many', 1);
    await untilEnded(bench, 'many', 200 + rounds * many + n);
  }
  const { rows } = await bench.platform.query(
    `select percentile_cont(0.5) within group (order by extract(epoch from i.started_at - d.occurred_at) * 1000) as ms
     from (select * from deliveries where function_slug = 'many' order by occurred_at desc limit $1) d
     join invocations i on i.delivery_id = d.id`,
    [single],
  );
  return rows[0].ms;
}

async function slowOnes(bench) {
  const code = `Deno.serve(() => new Promise((end) => setTimeout(() => end(new Response()), ${slow.ms})));`;
  const settings = { max_instances: slow.instances, idle_ms: 1_000 };
  await subscribe(bench, 'slow', code, settings);
  const desired = [];
  const startedAt = performance.now();
  await change(bench, 'slow', slow.jobs);
  await untilEnded(bench, 'slow', slow.jobs, async () =>
    desired.push(await desiredInstances(bench.galley, 'slow')),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const emptyFrom = performance.now();
  while ((await functionInstances(bench.galley)) > 0) await delay(100);
  return { seconds, turns: turnsOf(desired), emptySeconds: (performance.now() - emptyFrom) / 1000 };
}

/** How often what grew began to shrink, or the other way round. */
function turnsOf(values) {
  const steps = values.slice(1).map((value, i) => Math.sign(value - values[i]));
  const moves = steps.filter((step) => step !== 0);
  return moves.slice(1).filter((move, i) => move !== moves[i]).length;
}

/** A function that is woken by each row of a table of its own. */
async function subscribe({ galley, project }, name, code, settings) {
  await project.query(`create table public.${name} (id bigint generated always as identity primary key)`);
  const on = [{ event: 'row.inserted', table: `public.${name}` }];
  await deployFunction(galley, name, code, { on, verify_jwt: true, ...settings });
}

function change({ project }, name, count) {
  return project.query(`insert into public.${name} select from generate_series(1, $1)`, [count]);
}

async function untilEnded({ platform }, name, count, whileWaiting = async () => {}) {
  const startedAt = performance.now();
  for (;;) {
    const { rows } = await platform.query(
      `select count(*)::integer as ended from deliveries where function_slug = $1 and state = 'succeeded'`,
      [name],
    );
    if (rows[0].ended >= count) return;
    if (performance.now() - startedAt > longestMs) throw new Error(`Only ${rows[0].ended} of ${count} ended`);
    await whileWaiting();
    await delay(count > 1_000 ? 50 : 2);
  }
}

async function desiredInstances(galley, name) {
  const response = await fetch(`${galley.url}/metrics`, {
    headers: { authorization: `Bearer ${galley.secretKey}` },
  });
  const line = new RegExp(`^galley_function_desired_instances\\{[^}]*function="${name}"[^}]*\\} (\\d+)`, 'm');
  return Number(line.exec(await response.text())?.[1] ?? 0);
}

function bareQueue(options) {
  const floor = JSON.stringify({ ...options, jobs: many, rounds, concurrency });
  const child = fork(join(root, 'bench', 'events-floor.mjs'), [floor], { cwd: root });
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => code && reject(new Error('The bare queue failed')));
  });
}

/** One that keeps nothing on disk; null where it is not installed. */
async function startRedis() {
  const port = await freePort();
  const child = spawn('redis-server', ['--port', String(port), '--save', '', '--appendonly', 'no'], {
    stdio: 'ignore',
  });
  const failed = new Promise((resolve) => child.once('error', () => resolve(true)));
  if (await Promise.race([failed, delay(500)])) return null;
  return { url: `redis://127.0.0.1:${port}`, stop: () => child.kill() };
}

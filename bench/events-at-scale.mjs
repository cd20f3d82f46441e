// What a crowd leaves behind: thousands of uploads at the same moment, and a hundred thousand events that wait.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { deployFunction } from './galley-process.mjs';

const uploads = 10_000;
const pictureBytes = 100_000;
/** Connections that this process opens for them: each is asked for at once, and waits for one of these. */
const connections = 500;
const queued = 100_000;
const longestMs = 20 * 60_000;
const answering = 'Deno.serve(() => new Response());';

/** All pictures are uploaded at the same moment, and each wakes a function. */
export async function manyUploads(name, bench) {
  const { galley, project } = bench;
  await project.query(`insert into storage.buckets (id, name) values ('crowd', 'crowd')`);
  const on = [{ event: 'object.created', bucket: 'crowd' }];
  await deployFunction(galley, 'crowd', answering, { on, verify_jwt: true, concurrency: 32 });
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const picture = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), randomBytes(pictureBytes - 4)]);
  const startedAt = performance.now();
  const all = Array.from({ length: uploads }, (_, n) => upload(agent, galley, `${n}.jpg`, picture));
  const statuses = await Promise.all(all);
  const uploadSeconds = (performance.now() - startedAt) / 1000;
  agent.destroy();
  const accepted = statuses.filter((status) => status === 200).length;
  await untilEnded(bench, 'crowd', accepted);
  const seconds = (performance.now() - startedAt) / 1000;
  const { rows } = await bench.platform.query(
    `select count(distinct delivery_id)::integer as recorded from invocations
     where function_slug = 'crowd' and status = 'succeeded'`,
  );
  const isWhole = accepted === uploads && rows[0].recorded === uploads;
  return [
    {
      what: `${name}: ${uploads} uploads of ${pictureBytes / 1000} kB at once, until the last function ended`,
      value: `${seconds.toFixed(1)} s (uploads ended after ${uploadSeconds.toFixed(1)} s)`,
    },
    {
      what: `${name}: of them stored, and told to a function`,
      value: `${accepted}, ${rows[0].recorded}`,
      reach: 'all',
      met: isWhole,
    },
    await heldToTheEnd(name, bench, 'crowd'),
  ];
}

/** So many events wait at once; the memory of the process that carries and delivers them is looked at. */
export async function longBacklog(name, bench) {
  const { galley, project } = bench;
  await project.query('create table public.backlog (id bigint generated always as identity primary key)');
  const on = [{ event: 'row.inserted', table: 'public.backlog' }];
  await deployFunction(galley, 'backlog', answering, { on, verify_jwt: true, concurrency: 32 });
  const atStart = residentMb(galley.pid);
  await project.query('insert into public.backlog select from generate_series(1, $1)', [queued]);
  await untilEnded(bench, 'backlog', queued / 2);
  const inTheMiddle = residentMb(galley.pid);
  await untilEnded(bench, 'backlog', queued);
  const atEnd = residentMb(galley.pid);
  return [
    {
      what: `${name}: memory with ${queued} queued events, at the start, the middle and the end`,
      value: `${atStart}, ${inTheMiddle}, ${atEnd} MB`,
      reach: 'end ≤ 1.2 × middle',
      met: atEnd <= 1.2 * inTheMiddle,
    },
    await heldToTheEnd(name, bench, 'backlog'),
  ];
}

/** How fast deliveries ended in the first quarter of them, and in the last. */
async function heldToTheEnd(name, { platform }, slug) {
  const { rows } = await platform.query(
    `select count(*) / greatest(extract(epoch from max(finished_at) - min(finished_at)), 0.001) as rate
     from (select finished_at, ntile(4) over (order by finished_at) as quarter from deliveries
           where function_slug = $1 and state = 'succeeded') d
     group by quarter order by quarter`,
    [slug],
  );
  const [first, last] = [Number(rows[0].rate), Number(rows[3].rate)];
  return {
    what: `${name}: their first quarter, and their last`,
    value: `${Math.round(first)}/s, ${Math.round(last)}/s`,
    reach: 'last ≥ 0.8 × first',
    met: last >= 0.8 * first,
  };
}

function upload(agent, { url, secretKey }, path, picture) {
  const headers = { authorization: `Bearer ${secretKey}`, apikey: secretKey, 'content-type': 'image/jpeg' };
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/storage/v1/object/crowd/${path}`, { method: 'POST', agent, headers });
    asked.once('error', reject);
    asked.once('response', (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
    });
    asked.end(picture);
  });
}

async function untilEnded({ platform }, slug, count) {
  const startedAt = performance.now();
  for (;;) {
    const { rows } = await platform.query(
      `select count(*)::integer as ended from deliveries where function_slug = $1 and state = 'succeeded'`,
      [slug],
    );
    if (rows[0].ended >= count) return;
    if (performance.now() - startedAt > longestMs) throw new Error(`Only ${rows[0].ended} of ${count} ended`);
    await delay(250);
  }
}

function residentMb(pid) {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(kilobytes) / 1024);
}

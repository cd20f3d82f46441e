// How little functions cost that do nothing, how many fit, and how little a neighbour that never rests takes.
import { setTimeout as delay } from 'node:timers/promises';
import {
  cpuMsByProcess,
  deployFunction,
  functionInstances,
  memoryMb,
  newDataDir,
  startGalley,
} from './galley-process.mjs';
import { load, percentile } from './load.mjs';

const idleFunctions = 300;
const instances = 100;
const watchedMs = 10_000;
const small = (name) => `Deno.serve(() => new Response('hello from ${name}'));`;

export async function benchDensity() {
  return [...(await manyIdle()), ...(await manyAtOnce()), ...(await besideALoop())];
}

async function manyIdle() {
  const galley = await startGalley({ dataDir: newDataDir() });
  await deployFunction(galley, 'first', small('first'));
  const before = await rest(galley);
  for (let i = 0; i < idleFunctions; i++) await deployFunction(galley, `idle-${i}`, small(i));
  const after = await rest(galley);
  await galley.stop();
  galley.remove();
  const eachMb = (after.memoryMb - before.memoryMb) / idleFunctions;
  return [
    {
      what: `memory that ${idleFunctions} deployed, idle functions add, each`,
      value: `${eachMb.toFixed(2)} MB`,
      reach: '< 1 MB',
      met: eachMb < 1,
    },
    {
      what: 'processor time in a second of rest, before and after',
      value: `${before.cpuMs.toFixed(1)} ms, ${after.cpuMs.toFixed(1)} ms`,
      reach: 'no more',
      met: after.cpuMs <= before.cpuMs + 1,
    },
  ];
}

/** What all processes use while nothing is asked of them; processor time for a second of it. */
async function rest({ pid }) {
  await delay(3000);
  const began = cpuMsByProcess(pid);
  await delay(watchedMs);
  let usedMs = 0;
  for (const [one, ms] of cpuMsByProcess(pid)) usedMs += ms - (began.get(one) ?? 0);
  return { memoryMb: memoryMb(pid), cpuMs: (usedMs * 1000) / watchedMs };
}

async function manyAtOnce() {
  const environment = { GALLEY_MAX_INSTANCES: String(instances), GALLEY_INSTANCE_IDLE_MS: '600000' };
  const galley = await startGalley({ dataDir: newDataDir(), environment });
  const headers = { authorization: `Bearer ${galley.publishableKey}` };
  for (let i = 0; i < instances; i++) await deployFunction(galley, `f-${i}`, small(i));
  const startedAt = performance.now();
  const answers = await Promise.all(
    Array.from({ length: instances }, async (_, i) => {
      const response = await fetch(`${galley.url}/functions/v1/f-${i}`, { headers });
      return (await response.text()) === `hello from ${i}`;
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const held = await functionInstances(galley);
  const memory = memoryMb(galley.pid);
  await galley.stop();
  galley.remove();
  const right = answers.filter(Boolean).length;
  return [
    {
      what: `${instances} functions called at the same moment, all answered`,
      value: `${right} in ${seconds.toFixed(1)} s, ${held} instances`,
      reach: `${instances}`,
      met: right === instances && held === instances,
    },
    {
      what: 'memory of all processes then (PSS)',
      value: `${Math.round(memory)} MB`,
      reach: '≤ 2048 MB',
      met: memory <= 2048,
    },
  ];
}

/** Turn and turn about, so that what else the machine does falls on both alike. */
async function besideALoop() {
  const galley = await startGalley({ dataDir: newDataDir() });
  await deployFunction(galley, 'hello', small('hello'));
  await deployFunction(galley, 'loop', 'Deno.serve(() => { for (;;); });', { timeout_ms: 15_000 });
  const headers = { authorization: `Bearer ${galley.publishableKey}` };
  const measure = async () => {
    const common = { headers, concurrency: 1, requests: 3000, warmUp: 500 };
    return (await load({ ...common, origin: galley.url, paths: ['/functions/v1/hello'] })).p99Ms;
  };
  const alone = [];
  const beside = [];
  for (let i = 0; i < 5; i++) {
    alone.push(await measure());
    const looping = fetch(`${galley.url}/functions/v1/loop`, { headers });
    await delay(500);
    beside.push(await measure());
    const { status } = await looping;
    if (status !== 504) throw new Error(`The loop ended with ${status} before it was measured`);
  }
  await galley.stop();
  galley.remove();
  const middle = (values) =>
    percentile(
      values.toSorted((a, b) => a - b),
      0.5,
    );
  const [aloneMs, besideMs] = [middle(alone), middle(beside)];
  const moved = besideMs / aloneMs - 1;
  return [
    {
      what: 'p99 of a call, alone and beside an endless loop (middle of 5)',
      value: `${aloneMs.toFixed(2)} ms, ${besideMs.toFixed(2)} ms (${(moved * 100).toFixed(0)} %)`,
      reach: '< 20 % more',
      met: moved < 0.2,
    },
  ];
}

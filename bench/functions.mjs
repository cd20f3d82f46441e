// A small function through the front door, cold and warm, against the same handler in a bare Deno process, in workerd
// and in a plain NestJS server.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { deployFunction, functionInstances, newDataDir, startGalley } from './galley-process.mjs';
import { startBareDeno } from './functions-floor.mjs';
import { startNest, startProxy, startWorkerd } from './functions-peers.mjs';
import { load } from './load.mjs';

const coldStarts = 25;
const code = "Deno.serve((request) => new Response('hello ' + new URL(request.url).pathname));";

export async function benchFunctions() {
  const lines = [
    ...(await cold('from a process held ready', { GALLEY_WARM_PROCESSES: '1' }, readyReach)),
    ...(await cold('without', { GALLEY_WARM_PROCESSES: '0' }, coldReach)),
    ...(await warm()),
  ];
  return lines;
}

const readyReach = (oursMs) => ({ reach: '≤ 15 ms', met: oursMs <= 15 });
const coldReach = (oursMs, floorMs) => ({ reach: '≤ 1.3 × bare', met: oursMs <= 1.3 * floorMs });

async function cold(how, environment, reachOf) {
  const galley = await startGalley({
    dataDir: newDataDir(),
    environment: { GALLEY_INSTANCE_IDLE_MS: '100', ...environment },
  });
  await deployFunction(galley, 'hello', code);
  const headers = { authorization: `Bearer ${galley.publishableKey}` };
  const ours = [];
  const floor = [];
  const floorAgain = [];
  const place = mkdtempSync(join(tmpdir(), 'galley-floor-'));
  (await startBareDeno(code, place)).stop();
  for (let i = 0; i < coldStarts; i++) {
    while ((await functionInstances(galley)) > 0) await delay(20);
    // The next process to be held ready starts when the last was taken.
    await delay(200);
    const startedAt = performance.now();
    const response = await fetch(`${galley.url}/functions/v1/hello`, { headers });
    await response.text();
    if (response.status !== 200) throw new Error(`The function answered ${response.status}`);
    ours.push(performance.now() - startedAt);
    const bare = await startBareDeno(code);
    floor.push(bare.firstMs);
    bare.stop();
    const again = await startBareDeno(code, place);
    floorAgain.push(again.firstMs);
    again.stop();
  }
  rmSync(place, { recursive: true, force: true });
  await galley.stop();
  galley.remove();
  const [oursMs, floorMs, floorAgainMs] = [middle(ours), middle(floor), middle(floorAgain)];
  return [
    {
      what: `cold start ${how}, p50 of ${coldStarts}`,
      value: `${oursMs.toFixed(1)} ms`,
      ...reachOf(oursMs, floorMs),
    },
    {
      what: 'bare Deno, spawn to first response',
      value: `${floorMs.toFixed(1)} ms (ours is ${(oursMs / floorMs).toFixed(2)} of it)`,
    },
    {
      what: 'the same with what V8 compiled in an earlier start, as ours has it',
      value: `${floorAgainMs.toFixed(1)} ms (ours is ${(oursMs / floorAgainMs).toFixed(2)} of it)`,
    },
  ];
}

function middle(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

async function warm() {
  const galley = await startGalley({ dataDir: newDataDir() });
  await deployFunction(galley, 'hello', code, { concurrency: 32, max_instances: 1 });
  const headers = { authorization: `Bearer ${await personsToken(galley)}`, apikey: galley.publishableKey };
  const bare = await startBareDeno(code);
  const proxy = await startProxy(bare.socketPath);
  const workerd = await startWorkerd();
  const nest = await startNest();
  const lines = [];
  for (const [concurrency, requests] of [
    [1, 4000],
    [32, 20_000],
  ]) {
    const common = { headers, concurrency, requests, warmUp: 1000 };
    const floor = await load({
      ...common,
      origin: 'http://floor',
      socketPath: bare.socketPath,
      paths: ['/'],
    });
    const ours = await load({ ...common, origin: galley.url, paths: ['/functions/v1/hello'] });
    const peers = {
      'a bare Node proxy before bare Deno': await load({ ...common, origin: proxy.url, paths: ['/'] }),
      workerd: await load({ ...common, origin: workerd.url, paths: ['/'] }),
      'a plain NestJS handler': await load({ ...common, origin: nest.url, paths: ['/'] }),
    };
    lines.push(...warmLines(concurrency, floor, ours, peers));
  }
  for (const one of [bare, proxy, workerd, nest]) one.stop();
  await galley.stop();
  galley.remove();
  return lines;
}

function warmLines(concurrency, floor, ours, peers) {
  const tell = ({ perSecond, p50Ms, p99Ms }) =>
    `${Math.round(perSecond)}/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;
  const overMs = ours.p50Ms - floor.p50Ms;
  const ratio = ours.perSecond / floor.perSecond;
  return [
    { what: `warm call with a person's token, concurrency ${concurrency}`, value: tell(ours) },
    { what: 'bare Deno on a unix socket', value: tell(floor) },
    ...Object.entries(peers).map(([what, result]) => ({ what, value: tell(result) })),
    concurrency === 1
      ? {
          what: 'warm call over bare Deno, p50',
          value: `${overMs.toFixed(2)} ms`,
          reach: '≤ 0.5 ms',
          met: overMs <= 0.5,
        }
      : { what: 'calls/s of bare Deno', value: ratio.toFixed(2), reach: '≥ 0.5', met: ratio >= 0.5 },
  ];
}

async function personsToken({ url, publishableKey }) {
  const response = await fetch(`${url}/auth/v1/signup`, {
    method: 'POST',
    headers: { apikey: publishableKey, 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'person@example.com', password: 'correct horse battery' }),
  });
  return (await response.json()).access_token;
}

// A small function through the front door, warm and cold, against the same handler in a bare Deno process.
import { setTimeout as delay } from 'node:timers/promises';
import { functionProcesses, newDataDir, startGalley } from './galley-process.mjs';
import { startBareDeno } from './functions-floor.mjs';
import { load } from './load.mjs';

const coldStarts = 25;
const idleMs = 200;
const code = "Deno.serve((request) => new Response('hello ' + new URL(request.url).pathname));";

export async function benchFunctions() {
  const galley = await startGalley({
    dataDir: newDataDir(),
    environment: { GALLEY_INSTANCE_IDLE_MS: String(idleMs) },
  });
  await deploy(galley, 'hello', code);
  const headers = { authorization: `Bearer ${galley.publishableKey}` };
  const lines = [...(await cold(galley, headers)), ...(await warm(galley, headers))];
  await galley.stop();
  galley.remove();
  return lines;
}

async function cold(galley, headers) {
  const ours = [];
  const floor = [];
  for (let i = 0; i < coldStarts; i++) {
    while (functionProcesses(galley.pid).length > 0) await delay(20);
    const startedAt = performance.now();
    const response = await fetch(`${galley.url}/functions/v1/hello`, { headers });
    await response.text();
    if (response.status !== 200) throw new Error(`The function answered ${response.status}`);
    ours.push(performance.now() - startedAt);
    const bare = await startBareDeno(code);
    floor.push(bare.firstMs);
    bare.stop();
  }
  const p50 = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  const ratio = p50(ours) / p50(floor);
  return [
    { what: `cold start through the front door, p50 of ${coldStarts}`, value: `${p50(ours).toFixed(1)} ms` },
    { what: 'bare Deno, spawn to first response', value: `${p50(floor).toFixed(1)} ms` },
    { what: 'ratio of cold starts', value: ratio.toFixed(2), reach: '≤ 2', met: ratio <= 2 },
  ];
}

async function warm(galley, headers) {
  const bare = await startBareDeno(code);
  const common = { headers, concurrency: 1, requests: 3000, warmUp: 500 };
  const floor = await load({ ...common, origin: 'http://floor', socketPath: bare.socketPath, paths: ['/'] });
  const ours = await load({ ...common, origin: galley.url, paths: ['/functions/v1/hello'] });
  bare.stop();
  const overMs = ours.p50Ms - floor.p50Ms;
  return [
    { what: 'warm call through the front door, p50', value: `${ours.p50Ms.toFixed(2)} ms` },
    { what: 'bare Deno on a unix socket, p50', value: `${floor.p50Ms.toFixed(2)} ms` },
    {
      what: 'warm call over the floor, p50',
      value: `${overMs.toFixed(2)} ms`,
      reach: '≤ 1 ms',
      met: overMs <= 1,
    },
  ];
}

async function deploy(galley, slug, source) {
  const form = new FormData();
  form.append('metadata', JSON.stringify({ name: slug, entrypoint_path: 'index.ts' }));
  form.append('file', new Blob([source]), 'index.ts');
  const response = await fetch(`${galley.url}/v1/projects/local/functions/deploy?slug=${slug}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${galley.secretKey}` },
    body: form,
  });
  if (!response.ok) throw new Error(await response.text());
}

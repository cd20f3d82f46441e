// A process that owns two instances, the second in an endless loop, prints their pids and waits to be killed.
import { DenoRuntime } from '../../dist/libs/functions/src/runtime/deno-runtime.js';

const runtime = await DenoRuntime.open({
  dataDir: process.argv[2],
  namespaces: process.argv[3] !== 'false',
});
const start = (deploymentId, code) =>
  runtime.start({
    deploymentId,
    functionSlug: deploymentId,
    files: async () => new Map([['main.js', Buffer.from(code)]]),
    env: {},
    allowedHosts: [],
    api: { host: '127.0.0.1', port: 9 },
    translateStack: (stack) => stack,
    limits: { memoryBytes: 64 * 1024 * 1024 },
    onLog() {},
  });
const idle = await start('idle', 'Deno.serve(() => new Response());');
const looping = await start('looping', 'Deno.serve(() => { for (;;); });');
looping
  .invoke({ invocationId: '1', method: 'GET', path: '/', headers: {}, body: null, signal: null })
  .catch(() => {});
process.stdout.write(`${JSON.stringify([idle.pid, looping.pid])}\n`);
setInterval(() => {}, 60_000);

// Load on an HTTP server, from a process of its own so that the client's work is not the server's.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';

/**
 * Sends requests to `options.paths` with `options.bodies`, both in turn, at `options.concurrency`: so many as
 * `options.requests` says, or for `options.forMs`; before that as a warm-up `options.warmUp` of them, or for `warmUpMs`.
 * Resolves to `{ perSecond, p50Ms, p99Ms, failed }`.
 */
export function load(options) {
  const child = fork(fileURLToPath(import.meta.url), ['run']);
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => code && reject(new Error(`The load process ended with status ${code}`)));
    child.send(options);
  });
}

export function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

async function run({ origin, socketPath, warmUp, warmUpMs, ...options }) {
  const { concurrency } = options;
  const pool = new Pool(origin, { connections: concurrency, ...(socketPath && { socketPath }) });
  await round(pool, { ...options, requests: warmUp, forMs: warmUpMs });
  const startedAt = performance.now();
  const { times, failed } = await round(pool, options);
  const seconds = (performance.now() - startedAt) / 1000;
  times.sort((a, b) => a - b);
  await pool.close();
  return {
    perSecond: times.length / seconds,
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    failed,
  };
}

async function round(
  pool,
  { paths, bodies, method = 'GET', headers, concurrency, requests = Infinity, forMs = Infinity },
) {
  const times = [];
  const until = performance.now() + forMs;
  let next = 0;
  let failed = 0;
  const client = async () => {
    while (next < requests && performance.now() < until) {
      const path = paths[next % paths.length];
      const sent = bodies?.[next % bodies.length];
      next++;
      const startedAt = performance.now();
      const { statusCode, body } = await pool.request({ path, method, headers, body: sent });
      const text = await body.text();
      // GraphQL tells of errors with status 200.
      if (statusCode < 200 || statusCode > 299 || text.includes('"errors":[')) failed++;
      times.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return { times, failed };
}

if (process.argv[2] === 'run' && process.send) {
  process.once('message', async (options) => {
    process.send(await run(options), () => process.disconnect());
  });
}

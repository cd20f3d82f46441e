// The data API as a signed-in person under row-level security, beside a bare handler doing the same by hand and beside
// others that serve PostgreSQL: @supabase/lite and PostGraphile on the same server, PocketBase on its own SQLite.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { memoryMb, newDataDir, root, startGalley } from './galley-process.mjs';
import { load } from './load.mjs';
import { startPeer, startServer } from './peers.mjs';
import { jwtSecret, signJwt } from './people.mjs';
import { startPostgres } from './postgres.mjs';
import { makeNotes, owner } from './rest/notes.mjs';
import { pocketId, startPocketBase } from './rest/pocketbase.mjs';
import { scenarios } from './rest/scenarios.mjs';

const concurrency = 32;
/** V8 takes thousands of requests until it has compiled a server's code for good. */
const warmUpMs = 2_500;
const measuredMs = 3_500;
const rounds = 2;
const claims = { role: 'authenticated', aud: 'authenticated', sub: owner };

export async function benchRest() {
  const { servers, galley, stop } = await startServers();
  const lines = [];
  for (const scenario of scenarios(pocketId)) {
    lines.push(lineOf(scenario.what, await measure(scenario, servers)));
    console.log(`  ${lines.at(-1).what}: ${lines.at(-1).value}`);
  }
  lines.push(await alone(scenarios(pocketId)[0], servers), await stages(galley));
  await stop();
  return lines;
}

/** A million requests, and what the server's processes hold after each tenth. */
export async function benchRestMemory() {
  const { servers, galley, stop } = await startServers(['Galley']);
  const [{ rest }] = scenarios(pocketId);
  const held = [];
  for (let i = 0; i < 10; i++) {
    await ask(servers[0], rest, { concurrency, requests: 100_000, warmUp: 0 });
    held.push(memoryMb(galley.pid));
  }
  await stop();
  const grown = held.at(-1) / held[0];
  return [
    {
      what: 'memory after each 100,000 of a million rows by id (PSS)',
      value: `${held.map((mb) => mb.toFixed(0)).join(', ')} MB`,
      reach: 'last ≤ 1.1 × first',
      met: grown <= 1.1,
    },
  ];
}

async function startServers(only) {
  const postgres = await startPostgres();
  const { connection } = postgres;
  const galley = await startGalley({
    dataDir: newDataDir(),
    environment: { ...postgres.environment, JWT_SECRET: jwtSecret, PGRST_SERVER_TIMING_ENABLED: 'true' },
  });
  await makeNotes(connection);
  const authorization = `Bearer ${signJwt(claims)}`;
  const starts = {
    Galley: () => ({
      name: 'Galley',
      kind: 'rest',
      url: galley.url,
      headers: { authorization, apikey: galley.publishableKey },
    }),
    floor: async () => ({
      name: 'floor',
      kind: 'floor',
      headers: {},
      ...(await startServer(join(root, 'bench', 'rest', 'floor.mjs'), [
        JSON.stringify(connection),
        JSON.stringify(claims),
      ])),
    }),
    lite: () => startLite(connection, authorization),
    PostGraphile: async () => ({
      name: 'PostGraphile',
      kind: 'postgraphile',
      headers: { authorization },
      ...(await startPeer('postgraphile', [JSON.stringify(connection), jwtSecret])),
    }),
    PocketBase: async () => {
      const pocketbase = await startPocketBase();
      return pocketbase && { name: 'PocketBase', kind: 'pocketbase', ...pocketbase };
    },
  };
  const servers = [];
  for (const [name, start] of Object.entries(starts)) {
    const server = !only || only.includes(name) ? await start() : undefined;
    if (server) servers.push(server);
  }
  return {
    servers,
    galley,
    async stop() {
      for (const { stop: stopOne } of servers) stopOne?.();
      await galley.stop();
      galley.remove();
      await postgres.stop();
    },
  };
}

/** In a database of its own beside Galley's, since both would make the schema `auth`. */
async function startLite(connection, authorization) {
  const admin = new pg.Client(connection);
  await admin.connect();
  await admin.query('create database lite');
  await admin.end();
  const own = { ...connection, database: 'lite' };
  const client = new pg.Client(own);
  await client.connect();
  await client.query(`create schema auth; grant usage on schema auth to authenticated;
    create function auth.uid() returns uuid language sql stable
      return (current_setting('request.jwt.claims', true)::json ->> 'sub')::uuid;`);
  await client.end();
  await makeNotes(own);
  const key = `sb_publishable_${randomBytes(12).toString('hex')}`;
  const server = await startPeer('lite', [JSON.stringify(own), jwtSecret, key, owner]);
  const headers = { authorization, apikey: key };
  // What it sets up at its first request fails when several come at once.
  await (await fetch(`${server.url}/rest/v1/notes?limit=1`, { headers })).text();
  return { name: '@supabase/lite', kind: 'rest', headers, ...server };
}

/** By server: the best of its rounds, in turn, so that a machine that gets slower or faster does so for all. */
async function measure(scenario, servers) {
  const best = new Map();
  const share = scenario.share ?? 1;
  const much = { concurrency, warmUpMs: share * warmUpMs, forMs: share * measuredMs };
  for (let i = 0; i < rounds; i++) {
    for (const server of servers) {
      const request = requestOf(scenario, server);
      if (!request) continue;
      const run = await ask(server, request, much);
      if (!(best.get(server.name)?.perSecond > run.perSecond)) best.set(server.name, run);
    }
  }
  return best;
}

function requestOf(scenario, { kind, owner: itsOwner }) {
  const request = scenario[kind];
  return typeof request === 'function' ? request(itsOwner) : request;
}

async function ask({ name, url, headers }, request, much) {
  const run = await load({
    ...much,
    ...request,
    origin: url,
    headers: { ...headers, ...request.headers },
  });
  if (run.failed > 0) throw new Error(`${run.failed} requests to ${name} failed`);
  return run;
}

function lineOf(what, best) {
  const [ours, floor] = [best.get('Galley'), best.get('floor')];
  const peers = [...best].filter(([name]) => name !== 'Galley' && name !== 'floor');
  const ratio = ours.perSecond / floor.perSecond;
  const isRow = what === 'one row by id';
  const aheadOfPeers = peers.every(([, peer]) => ours.perSecond > peer.perSecond);
  const show = ({ perSecond, p50Ms, p99Ms }) =>
    `${perSecond.toFixed(0)}/s (p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)} ms)`;
  return {
    what: `${what}, concurrency ${concurrency}`,
    value: [
      show(ours),
      `floor ${show(floor)}: ratio ${ratio.toFixed(2)}`,
      ...peers.map(([name, peer]) => `${name} ${peer.perSecond.toFixed(0)}/s`),
    ].join('; '),
    reach: `${isRow ? '≥ 0.8 of the floor, ' : ''}p99 ≤ 3 × p50, ahead of all others`,
    met: (!isRow || ratio >= 0.8) && ours.p99Ms <= 3 * ours.p50Ms && aheadOfPeers,
  };
}

async function alone(scenario, servers) {
  const shown = [];
  for (const server of servers) {
    const run = await ask(server, requestOf(scenario, server), {
      concurrency: 1,
      requests: 3000,
      warmUp: 1000,
    });
    shown.push(`${server.name} p50 ${run.p50Ms.toFixed(2)} ms, p99 ${run.p99Ms.toFixed(2)} ms`);
  }
  return { what: `${scenario.what}, concurrency 1`, value: shown.join('; ') };
}

/** The middle of what `Server-Timing` tells of each stage, of rows by id. */
async function stages({ url, publishableKey }) {
  const headers = { authorization: `Bearer ${signJwt(claims)}`, apikey: publishableKey };
  const [{ rest }] = scenarios(pocketId);
  const told = new Map();
  for (const path of rest.paths) {
    const response = await fetch(url + path, { headers });
    await response.text();
    for (const [, stage, ms] of response.headers.get('server-timing').matchAll(/(\w+);dur=([\d.]+)/g)) {
      told.set(stage, [...(told.get(stage) ?? []), Number(ms)]);
    }
  }
  const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  const ours = ['parse', 'plan', 'sql'].map((stage) => middle(told.get(stage)));
  return {
    what: 'stages of one row by id, p50',
    value: [...told].map(([stage, values]) => `${stage} ${middle(values).toFixed(3)} ms`).join(', '),
    reach: 'parse + plan + sql ≤ 0.1 ms',
    met: ours.reduce((sum, ms) => sum + ms, 0) <= 0.1,
  };
}

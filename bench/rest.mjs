// One row by id, as a signed-in person under row-level security, against a bare handler doing the same transaction.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import pg from 'pg';
import { load } from './load.mjs';
import { jwtSecret, signJwt } from './people.mjs';
import { newDataDir, root, startGalley } from './galley-process.mjs';
import { startPostgres } from './postgres.mjs';

const rows = 25_000;
const requests = 20_000;
const warmUp = 4_000;
const rounds = 3;

export async function benchRest() {
  const postgres = await startPostgres();
  const galley = await startGalley({
    dataDir: newDataDir(),
    environment: { ...postgres.environment, JWT_SECRET: jwtSecret },
  });
  const { connection } = postgres;
  const claims = { role: 'authenticated', sub: '00000000-0000-4000-8000-000000000001' };
  await makeNotes(connection, claims.sub);
  const floor = fork(join(root, 'bench', 'rest-floor.mjs'), [
    JSON.stringify(connection),
    claims.role,
    JSON.stringify(claims),
  ]);
  const floorPort = await new Promise((resolve) => floor.once('message', resolve));
  const ids = Array.from({ length: 1000 }, (_, i) => ((i * 7919) % rows) + 1);
  const headers = { authorization: `Bearer ${signJwt(claims)}`, apikey: galley.publishableKey };
  const lines = [];
  for (const concurrency of [1, 32]) {
    const measured = { galley: [], floor: [] };
    // In turn, so that a machine that gets slower or faster does so for both.
    for (let i = 0; i < rounds; i++) {
      const common = { concurrency, requests: concurrency === 1 ? requests / 5 : requests, warmUp, headers };
      const floorPaths = ids.map((id) => `/?id=eq.${id}`);
      const paths = ids.map((id) => `/rest/v1/notes?id=eq.${id}`);
      measured.floor.push(
        await load({ ...common, origin: `http://127.0.0.1:${floorPort}`, paths: floorPaths }),
      );
      measured.galley.push(await load({ ...common, origin: galley.url, paths }));
    }
    lines.push(...compare(concurrency, measured));
  }
  floor.kill();
  await galley.stop();
  galley.remove();
  await postgres.stop();
  return lines;
}

async function makeNotes(connection, owner) {
  const client = new pg.Client(connection);
  await client.connect();
  await client.query(`
    create table public.notes (id bigint primary key, owner uuid not null, title text not null, body text, done boolean);
    alter table public.notes enable row level security;
    create policy "Owners read" on public.notes for select to authenticated using (owner = (select auth.uid()));`);
  await client.query(
    `insert into public.notes select i, $1, 'Note ' || i, repeat('text ', 20), i % 2 = 0 from generate_series(1, $2::int) i`,
    [owner, rows],
  );
  await client.query('analyze public.notes');
  await client.query("notify pgrst, 'reload schema'");
  await client.end();
}

function compare(concurrency, { galley, floor }) {
  const best = (runs) => runs.reduce((a, b) => (a.perSecond > b.perSecond ? a : b));
  const [ours, theirs] = [best(galley), best(floor)];
  if (galley.some((run) => run.failed > 0)) throw new Error('Requests failed');
  const ratio = ours.perSecond / theirs.perSecond;
  const show = (run) =>
    `${run.perSecond.toFixed(0)}/s, p50 ${run.p50Ms.toFixed(2)} ms, p99 ${run.p99Ms.toFixed(2)} ms`;
  return [
    { what: `GET /rest/v1/notes?id=eq.… at concurrency ${concurrency}`, value: show(ours) },
    { what: 'bare Node HTTP + pg, same transaction', value: show(theirs) },
    {
      what: `ratio at concurrency ${concurrency}`,
      value: ratio.toFixed(2),
      ...(concurrency > 1 && { reach: '≥ 0.70', met: ratio >= 0.7 }),
    },
  ];
}

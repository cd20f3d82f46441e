// A thousand people upload a picture at the same moment: the whole story, against a bare sharp loop.
import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import sharp from 'sharp';
import { functionInstances, newDataDir, root, startGalley } from './galley-process.mjs';
import { jwtSecret, makePeople } from './people.mjs';
import { startPostgres } from './postgres.mjs';

const people = 1000;
const sizesPx = [64, 256, 512];
/** Uploads under way at once: phones on a network, not a loop on the same machine. */
const uploadsAtOnce = 32;
const longestMs = 20 * 60_000;

export async function benchBurst() {
  const scratch = mkdtempSync(join(tmpdir(), 'galley-burst-'));
  const paths = await phonePictures(scratch);
  const floorSeconds = await bareLoop(paths);
  const postgres = await startPostgres();
  const environment = { ...postgres.environment, JWT_SECRET: jwtSecret };
  const galley = await startGalley({ dataDir: newDataDir(), project: 'examples/avatars', environment });
  const users = await makePeople(postgres.connection, people);
  const sources = paths.map((path) => readFileSync(path));

  const startedAt = performance.now();
  await inParallel(users, uploadsAtOnce, (user, i) => upload(galley, user, sources[i % sources.length]));
  const uploadedSeconds = (performance.now() - startedAt) / 1000;
  const { complete, seconds } = await waitForProfiles(postgres.connection, startedAt);
  const invocations = await succeededInvocations(galley);
  while ((await functionInstances(galley)) > 0 && performance.now() - startedAt < longestMs) await delay(200);
  const left = await functionInstances(galley);
  await galley.stop();
  galley.remove();
  await postgres.stop();
  rmSync(scratch, { recursive: true });
  const ratio = floorSeconds / seconds;
  return [
    {
      what: `${people} pictures through the story`,
      value: `${seconds.toFixed(1)} s (uploads ended after ${uploadedSeconds.toFixed(1)} s)`,
    },
    { what: 'bare sharp loop, the same thumbnails', value: `${floorSeconds.toFixed(1)} s` },
    { what: 'ratio', value: ratio.toFixed(2), reach: '≥ 0.5', met: ratio >= 0.5 },
    {
      what: 'profiles with their thumbnails',
      value: `${complete} of ${people}`,
      reach: 'all',
      met: complete === people,
    },
    {
      what: 'invocations that succeeded',
      value: String(invocations),
      reach: String(people),
      met: invocations === people,
    },
    { what: 'function instances left afterwards', value: String(left), reach: '0', met: left === 0 },
  ];
}

/** The photographs of the example, at the size that phones send: 12 megapixels. */
async function phonePictures(directory) {
  const names = ['dandelion.jpg', 'dogs.webp'];
  return Promise.all(
    names.map(async (name) => {
      const path = join(directory, name.replace(/\.\w+$/, '.jpg'));
      await sharp(join(root, 'examples', 'avatars', 'pictures', name))
        .autoOrient()
        .resize(3024, 4032, { fit: 'cover' })
        .jpeg({ quality: 80 })
        .toFile(path);
      return path;
    }),
  );
}

function bareLoop(paths) {
  const options = { paths, pictures: people, sizesPx, concurrency: availableParallelism() };
  const child = fork(join(root, 'bench', 'burst-floor.mjs'), [JSON.stringify(options)]);
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => code && reject(new Error('The bare loop failed')));
  });
}

async function inParallel(items, width, work) {
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const i = next++;
      await work(items[i], i);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

async function upload(galley, person, source) {
  const response = await fetch(`${galley.url}/storage/v1/object/avatars/${person.id}/me.jpg`, {
    method: 'POST',
    headers: {
      apikey: galley.publishableKey,
      authorization: `Bearer ${person.token}`,
      'content-type': 'image/jpeg',
    },
    body: source,
  });
  if (!response.ok) throw new Error(`An upload was answered ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
}

/** Waits until all thumbnails are stored and all profiles changed; returns how many people have all of theirs. */
async function waitForProfiles(connection, startedAt) {
  const client = new pg.Client(connection);
  await client.connect();
  // A look that costs next to nothing, so that looking is not what is measured.
  const changed = 'select count(*)::int as done from public.profiles where avatar_path is not null';
  let done = 0;
  while (done < people && performance.now() - startedAt < longestMs) {
    await delay(250);
    done = (await client.query(changed)).rows[0].done;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const { rows } = await client.query(
    `select count(*)::int as complete from public.profiles p
     where (select count(*) from jsonb_object_keys(p.avatar_urls)) = $1
       and (select count(*) from storage.objects o
            where o.bucket_id = 'thumbnails' and o.name like p.id || '/%') = $1`,
    [sizesPx.length],
  );
  await client.end();
  return { complete: rows[0].complete, seconds };
}

async function succeededInvocations(galley) {
  const response = await fetch(`${galley.url}/v1/projects/local/usage`, {
    headers: { authorization: `Bearer ${galley.secretKey}` },
  });
  const { functions } = await response.json();
  return functions[0].invocations - functions[0].failed;
}

import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'undici';
import { configFromEnvironment, OperatorError, repositoryRoot, runProgram } from '#libs/platform';
import { costOf, listPrices, presets } from '#libs/usage';
import { serverFeatures } from '../../server/src/features.js';
import { startGalley } from '../../server/src/galley.js';
import { WorkerModule } from '../../worker/src/worker.module.js';
import type { Say } from './command.js';
import { findServer, manage, type Connection } from './connection.js';
import { deploy } from './deploy.js';

const example = join(repositoryRoot, 'examples', 'avatars');
const pictures = ['dandelion.jpg', 'fig.png', 'dogs.webp'];
const thumbnailsTimeoutMs = 60_000;
const pollMs = 25;

interface Profile {
  avatar_path: string | null;
  avatar_urls: Record<string, string>;
}

interface Invocation {
  start: 'cold' | 'warm';
  wall_ms: number;
  cpu_ms: number;
  gb_ms: number;
  peak_memory_bytes: number;
}

/** Plays the story of an uploaded picture against the running server, or against one of its own. */
export async function demo(say: Say): Promise<void> {
  const { dataDir } = configFromEnvironment();
  const running = await findServer(dataDir);
  if (running) {
    say(`Playing against the server at ${running.url}.\n`);
    return play(running, dataDir, say);
  }
  say('No server is running; starting one for the demo.\n');
  await runProgram(async () => {
    const galley = await startGalley({
      name: 'galley',
      features: [...serverFeatures, WorkerModule],
      projectPath: undefined,
      watch: false,
    });
    const { keys, apiUrl } = galley.platform.projects.first;
    // Ctrl-C stops the server as it stops any other; the story ends with it.
    void play({ url: apiUrl, publishableKey: keys.publishableKey, token: keys.secretKey }, dataDir, say).then(
      () => process.kill(process.pid, 'SIGINT'),
      (error: Error) => {
        say(error.message);
        process.exitCode = 1;
        process.kill(process.pid, 'SIGINT');
      },
    );
    return galley;
  });
}

async function play(connection: Connection, dataDir: string, say: Say): Promise<void> {
  await refuseOtherProject(connection);
  await deploy(connection, example, say);
  const supabase = createClient(connection.url, connection.publishableKey, {
    auth: { persistSession: false },
    // Node 20 has no WebSocket of its own, and the SDK asks for one even where no channel is opened.
    realtime: { transport: WebSocket as never },
  });
  const folder = join(dataDir, 'demo');
  await mkdir(folder, { recursive: true });
  const userId = await signUp(supabase, say);
  for (const picture of pictures) await changePicture({ supabase, connection, userId, picture, folder, say });
  say(`\nOpen the thumbnails: ${folder}`);
}

/** The demo brings tables, buckets and people along, which have no business in a project of one's own. */
async function refuseOtherProject(connection: Connection): Promise<void> {
  const functions = await manage<{ slug: string }[]>(connection, '/functions');
  const other = functions.find(({ slug }) => slug !== 'thumbnails');
  if (!other) return;
  throw new OperatorError(
    `The server at ${connection.url} serves another project (it has the function ${other.slug}). ` +
      'Play the demo apart from it: GALLEY_DATA_DIR=.galley-demo PORT=54399 npm run demo',
  );
}

async function signUp(supabase: SupabaseClient, say: Say): Promise<string> {
  const email = `demo-${randomBytes(4).toString('hex')}@example.com`;
  const timer = stopwatch();
  const { data, error } = await supabase.auth.signUp({
    email,
    password: randomBytes(12).toString('base64url'),
  });
  if (error || !data.user) throw new OperatorError(`Sign-up failed: ${error?.message}`);
  say(`\n${line('sign-up', timer(), `${email}, profile made by a trigger`)}`);
  return data.user.id;
}

/** One turn of the story: upload, function, thumbnails, profile; prints each with its milliseconds. */
async function changePicture(turn: {
  supabase: SupabaseClient;
  connection: Connection;
  userId: string;
  picture: string;
  folder: string;
  say: Say;
}): Promise<void> {
  const { supabase, connection, userId, picture, folder, say } = turn;
  const bytes = await readFile(join(example, 'pictures', picture));
  const name = `${userId}/${picture}`;
  const requestId = `demo-${randomBytes(8).toString('hex')}`;
  say(`\n${picture}, ${(bytes.length / 1e6).toFixed(1)} MB`);

  const uploading = stopwatch();
  const { error } = await supabase.storage
    .from('avatars')
    .setHeader('x-request-id', requestId)
    .upload(name, bytes, { contentType: mimeTypeOf(picture) });
  if (error) throw new OperatorError(`The upload failed: ${error.message}`);
  say(line('upload', uploading(), 'bytes stored, row and event committed'));

  const waiting = stopwatch();
  const profile = await profileWith(supabase, userId, name);
  const shownMs = waiting();
  const invocation = await invocationOf(connection, requestId);
  say(line('function', invocation.wall_ms, `thumbnails, ${invocation.start} start`));
  for (const [sizePx, url] of Object.entries(profile.avatar_urls)) {
    const loading = stopwatch();
    const thumbnail = Buffer.from(await (await fetch(url)).arrayBuffer());
    const file = join(folder, `${picture.replace(/\.\w+$/, '')}-${sizePx}.webp`);
    await writeFile(file, thumbnail);
    say(line(`${sizePx} px`, loading(), `${(thumbnail.length / 1000).toFixed(1)} kB, ${url}`));
  }
  say(line('profile row', shownMs, 'after the upload it shows the new picture'));
  const lambda = presets['aws-lambda']!;
  const cost = costOf(listPrices(lambda), { invocations: 1, gb_seconds: invocation.gb_ms / 1000 });
  say(
    `  cost         ${invocation.cpu_ms.toFixed(1)} ms CPU, ${(invocation.peak_memory_bytes / 2 ** 20).toFixed(0)} MB peak, ` +
      `${invocation.gb_ms.toFixed(1)} GB-ms: $${cost.toFixed(8)} at ${lambda.name}'s prices (${lambda.as_of}), $0 here`,
  );
}

async function profileWith(supabase: SupabaseClient, userId: string, path: string): Promise<Profile> {
  const deadline = Date.now() + thumbnailsTimeoutMs;
  for (;;) {
    const { data, error } = await supabase
      .from('profiles')
      .select('avatar_path, avatar_urls')
      .eq('id', userId)
      .single();
    if (error) throw new OperatorError(`The profile could not be read: ${error.message}`);
    if ((data as Profile).avatar_path === path) return data as Profile;
    if (Date.now() > deadline) {
      throw new OperatorError(
        `No thumbnails came within ${thumbnailsTimeoutMs / 1000} s; the server's log says why.`,
      );
    }
    await delay(pollMs);
  }
}

/** The record is committed just after the function answered, which may be after the profile shows the picture. */
async function invocationOf(connection: Connection, requestId: string): Promise<Invocation> {
  const deadline = Date.now() + thumbnailsTimeoutMs;
  for (;;) {
    const [invocation] = await manage<Invocation[]>(connection, `/invocations?request_id=${requestId}`);
    if (invocation) return invocation;
    if (Date.now() > deadline) throw new OperatorError('The invocation was not recorded.');
    await delay(pollMs);
  }
}

function stopwatch(): () => number {
  const startedAt = performance.now();
  return () => performance.now() - startedAt;
}

function line(step: string, ms: number, what: string): string {
  return `  ${step.padEnd(12)} ${ms.toFixed(1).padStart(7)} ms  ${what}`;
}

function mimeTypeOf(picture: string): string {
  return picture.endsWith('.png') ? 'image/png' : picture.endsWith('.webp') ? 'image/webp' : 'image/jpeg';
}

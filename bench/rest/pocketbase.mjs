// PocketBase with the same rows in its own SQLite, under rules that ask the same. Built from its Go module, where there is Go.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, newDataDir, root } from '../galley-process.mjs';
import { notes, projects } from './notes.mjs';

const version = 'v0.39.11';
const rowsAtOnce = 1000;
const account = { email: 'bench@example.com', password: 'correct horse battery' };

/** Fifteen characters, as its ids are. */
export const pocketId = (number) => String(number).padStart(15, '0');

/** Undefined where there is no Go to build it. */
export async function startPocketBase() {
  const binary = built();
  if (!binary) return undefined;
  const dataDir = newDataDir();
  // What it writes of changed collections lies beside its data.
  const common = ['--dir', join(dataDir, 'data'), '--automigrate=false'];
  spawnSync(binary, ['superuser', 'upsert', account.email, account.password, ...common]);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(binary, ['serve', '--http', `127.0.0.1:${port}`, ...common], { stdio: 'ignore' });
  while (!(await fetch(`${url}/api/health`).catch(() => null))) {
    if (child.exitCode !== null) throw new Error(`PocketBase ended with status ${child.exitCode}`);
    await delay(20);
  }
  const admin = await signIn(url, '_superusers');
  const send = (method, path, body) => request(`${url}${path}`, method, body, admin.token);
  await send('PATCH', '/api/settings', {
    batch: { enabled: true, maxRequests: rowsAtOnce, timeout: 60 },
    rateLimits: { enabled: false },
  });
  const { id: owner } = await send('POST', '/api/collections/users/records', {
    ...account,
    passwordConfirm: account.password,
  });
  await makeCollections(send);
  await fill(send, owner);
  const { token } = await signIn(url, 'users');
  return {
    url,
    owner,
    headers: { authorization: token },
    stop() {
      child.kill('SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function built() {
  const directory = join(root, 'bench', 'peers', 'node_modules', '.pocketbase');
  const binary = join(directory, 'base');
  if (existsSync(binary)) return binary;
  const environment = { ...process.env, GOBIN: directory, CGO_ENABLED: '0' };
  spawnSync('go', ['install', `github.com/pocketbase/pocketbase/examples/base@${version}`], {
    env: environment,
  });
  return existsSync(binary) ? binary : undefined;
}

async function request(url, method, body, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: token }) };
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${url}: ${await response.text()}`);
  return response.json();
}

const signIn = (url, collection) =>
  request(`${url}/api/collections/${collection}/auth-with-password`, 'POST', {
    identity: account.email,
    password: account.password,
  });

async function makeCollections(send) {
  const text = (name) => ({ name, type: 'text' });
  const number = { name: 'number', type: 'number' };
  const { id: users } = await collection(send, 'users');
  const owned = { name: 'owner', type: 'relation', collectionId: users, maxSelect: 1 };
  const to = (name, collectionId) => ({ name, type: 'relation', collectionId, maxSelect: 1 });
  const make = (name, fields, indexes) => {
    const rule = 'owner = @request.auth.id';
    const rules = { listRule: rule, viewRule: rule, createRule: rule };
    return send('POST', '/api/collections', {
      name,
      type: 'base',
      fields: [...fields, owned],
      indexes: indexes.map((field) => `create index ${name}_${field} on ${name} (${field})`),
      ...rules,
    });
  };
  const { id: projectsId } = await make('projects', [text('name'), number], []);
  const { id: notesId } = await make(
    'notes',
    [text('title'), text('body'), { name: 'done', type: 'bool' }, number, to('project', projectsId)],
    ['project', 'number'],
  );
  await make('comments', [text('body'), to('note', notesId)], ['note']);
  await make('logs', [text('line')], []);
}

const collection = async (send, name) => send('GET', `/api/collections/${name}`);

async function fill(send, owner) {
  const ids = (count) => Array.from({ length: count }, (_, i) => i + 1);
  const rows = [
    ...ids(projects).map((i) => ['projects', { id: pocketId(i), owner, name: `Project ${i}`, number: i }]),
    ...ids(notes).map((i) => [
      'notes',
      {
        id: pocketId(i),
        owner,
        project: pocketId(1 + ((i - 1) % projects)),
        title: `Note ${i}`,
        body: 'text '.repeat(20),
        done: i % 2 === 0,
        number: i,
      },
    ]),
    ...ids(notes).map((i) => [
      'comments',
      { id: pocketId(i), owner, note: pocketId(i), body: `Comment ${i}` },
    ]),
  ];
  for (let i = 0; i < rows.length; i += rowsAtOnce) {
    const requests = rows
      .slice(i, i + rowsAtOnce)
      .map(([name, body]) => ({ method: 'POST', url: `/api/collections/${name}/records`, body }));
    await send('POST', '/api/batch', { requests });
  }
}

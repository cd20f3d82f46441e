import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@supabase/supabase-js';
import { WebSocket } from 'undici';
import { cloneDatabases } from '../support/database.js';
import { testEnvironment } from '../support/environment.js';
import { eventually } from '../support/eventually.js';
import { startProcess, type GalleyProcess } from '../support/galley-process.js';

const greeter = `Deno.serve(async (request) => {
  console.log((await request.json()).record.email);
  return new Response('greeted');
});`;

describe('while no worker runs', () => {
  const metricsToken = randomBytes(16).toString('hex');
  const publishableKey = `sb_publishable_${randomBytes(12).toString('hex')}`;
  const secretKey = `sb_secret_${randomBytes(12).toString('hex')}`;
  let environment: Record<string, string>;
  let server: GalleyProcess;
  let dropDatabases: (() => Promise<void>) | undefined;

  beforeAll(async () => {
    const databases = await cloneDatabases();
    dropDatabases = databases.drop;
    environment = {
      DATABASE_URL: databases.projectUrl,
      GALLEY_PLATFORM_DB: databases.platformName,
      GALLEY_MASTER_KEY: testEnvironment.masterKey,
      GALLEY_DATA_DIR: await mkdtemp(join(testEnvironment.dataDir, 'no-workers-')),
      SUPABASE_PUBLISHABLE_KEY: publishableKey,
      SUPABASE_SECRET_KEY: secretKey,
      GALLEY_METRICS_TOKEN: metricsToken,
    };
    server = await startProcess({ program: 'server', environment });
    await deployGreeter();
  });
  afterAll(async () => {
    await server?.end('SIGTERM');
    await dropDatabases?.();
    if (environment) await rm(environment['GALLEY_DATA_DIR']!, { recursive: true, force: true });
  });

  const deployGreeter = async () => {
    const form = new FormData();
    const galley = { on: [{ event: 'user.created' }] };
    form.append('metadata', JSON.stringify({ name: 'greeter', entrypoint_path: 'index.ts', galley }));
    form.append('file', new Blob([greeter]), 'index.ts');
    const headers = { authorization: `Bearer ${secretKey}` };
    const url = `${server.url}/v1/projects/local/functions/deploy?slug=greeter`;
    const { status } = await fetch(url, { method: 'POST', headers, body: form });
    expect(status).toBe(201);
  };
  const metrics = (url = server.url) =>
    fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${metricsToken}` } });
  const gauge = async (name: string, url?: string) => {
    const value = new RegExp(`^${name} (.+)$`, 'm').exec(await (await metrics(url)).text())?.[1];
    return value === undefined ? undefined : Number(value);
  };
  const signUp = async (email: string) => {
    // Node.js 20 has no WebSocket of its own, and the SDK will not start without one.
    const realtime = { transport: WebSocket as never };
    const { error } = await createClient(server.url, publishableKey, { realtime }).auth.signUp({
      email,
      password: 'a long password',
    });
    expect(error).toBeNull();
  };

  it('servers tell of an event that was committed, and a worker that is started for it leaves nothing open', async () => {
    expect(await gauge('galley_events_open')).toBe(0);
    expect(await gauge('galley_event_oldest_age_seconds')).toBe(0);
    await signUp('ann@example.com');
    // Her account, and that she is signed in.
    expect(await gauge('galley_events_open')).toBe(2);
    await eventually(async () => (await gauge('galley_event_oldest_age_seconds'))! > 0.2, {
      what: 'the event growing older',
    });

    const worker = await startProcess({
      program: 'worker',
      environment: { ...environment, GALLEY_INTERNAL_URL: server.url },
    });
    await eventually(async () => (await gauge('galley_events_open')) === 0, { what: 'nothing being open' });
    expect(await gauge('galley_event_oldest_age_seconds')).toBe(0);
    // Of the installation each server tells the whole; a worker repeats none of it.
    expect((await metrics(worker.url)).status).toBe(200);
    expect(await gauge('galley_events_open', worker.url)).toBeUndefined();
    expect(await worker.end('SIGTERM')).toBe(0);

    const headers = { authorization: `Bearer ${secretKey}` };
    const deliveries = await fetch(`${server.url}/v1/projects/local/deliveries`, { headers });
    expect(await deliveries.json()).toMatchObject([{ function: 'greeter', state: 'succeeded', attempts: 1 }]);
    await signUp('bob@example.com');
    // Her account, and that she is signed in.
    expect(await gauge('galley_events_open')).toBe(2);
  });

  it('the token for metrics opens them alone, and no other does', async () => {
    const status = async (path: string, token?: string) => {
      const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
      return (await fetch(`${server.url}${path}`, { headers })).status;
    };
    expect(await status('/metrics', metricsToken)).toBe(200);
    expect(await status('/v1/projects/local/deliveries', metricsToken)).toBe(401);
    expect(await status('/auth/v1/user', metricsToken)).toBe(403);
    expect(await status('/rest/v1/', metricsToken)).toBe(401);
    expect(await status('/metrics', `${metricsToken.slice(0, -1)}x`)).toBe(401);
    expect(await status('/metrics', '')).toBe(401);
    expect(await status('/metrics')).toBe(403);
  });

  it('a server that cannot ask its databases leaves out how many events there are, and lives', async () => {
    await dropDatabases!();
    dropDatabases = undefined;
    expect((await fetch(`${server.url}/health`)).status).toBe(500);
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
    expect((await metrics()).status).toBe(200);
    expect(await gauge('galley_events_open')).toBeUndefined();
    expect(await gauge('galley_event_oldest_age_seconds')).toBeUndefined();
  });
});

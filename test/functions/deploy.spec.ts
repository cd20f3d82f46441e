import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Activations } from '#libs/functions';
import { ManagementModule } from '../../apps/server/src/features.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

const answering = (text: string) => `Deno.serve(() => new Response(${JSON.stringify(text)}));`;

describe('deploying a function', () => {
  let server: FunctionsServer;
  beforeAll(async () => {
    server = await startFunctionsServer([ManagementModule]);
  });
  afterAll(() => server.close());

  const answerOf = async (slug: string) => (await server.call(slug)).text();

  it('makes a numbered deployment that answers at once', async () => {
    const deployed = await server.deploy('greet', answering('one'), { verify_jwt: false, memory_mb: 128 });
    expect(deployed).toMatchObject({
      slug: 'greet',
      name: 'greet',
      status: 'ACTIVE',
      version: 1,
      verify_jwt: false,
      entrypoint_path: 'index.ts',
      import_map: false,
      ezbr_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      galley: { memory_mb: 128, permissions: { service_role: false } },
      created: true,
    });
    expect(await answerOf('greet')).toBe('one');
    expect((await server.manage('GET', '/functions/greet')).body).toMatchObject({ version: 1 });
    expect((await server.manage('GET', '/functions')).body).toHaveLength(1);
  });

  it('does nothing when what is deployed is the same', async () => {
    const again = await server.deploy('greet', answering('one'), { verify_jwt: false, memory_mb: 128 });
    expect(again).toMatchObject({ version: 1, created: false });
    expect((await server.manage('GET', '/functions/greet/deployments')).body).toHaveLength(1);
  });

  it('replaces the deployment, and an earlier one can be made to answer again', async () => {
    expect(await server.deploy('greet', answering('two'))).toMatchObject({ version: 2, created: true });
    expect(await answerOf('greet')).toBe('two');
    const back = await server.manage('POST', '/functions/greet/deployments/1/activate');
    expect(back).toMatchObject({ status: 200, body: { version: 1 } });
    expect(await answerOf('greet')).toBe('one');
    const { body } = await server.manage('GET', '/functions/greet/deployments');
    expect(body).toMatchObject([
      { version: 2, active: false },
      { version: 1, active: true },
    ]);
    const missing = await server.manage('POST', '/functions/greet/deployments/9/activate');
    expect(missing).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  it('that declares service_role needs the secret key: no access token deploys, changes or activates it', async () => {
    const settings = { permissions: { service_role: true } };
    const first = await server.deploy('almighty', answering('one'), settings);
    await server.deploy('almighty', answering('two'));
    const { token } = (await (
      await fetch(`${server.url}/v1/access-tokens`, {
        method: 'POST',
        headers: { authorization: `Bearer ${server.keys.secretKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'ci' }),
      })
    ).json()) as { token: string };
    const asManager = async (method: string, path: string, body: unknown = {}) => {
      const isForm = body instanceof FormData;
      const response = await fetch(`${server.url}/v1/projects/local/functions${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(!isForm && { 'content-type': 'application/json' }),
        },
        body: isForm ? body : JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as unknown };
    };
    const form = (galley?: object) => {
      const made = new FormData();
      made.append('metadata', JSON.stringify({ name: 'almighty', entrypoint_path: 'index.ts', galley }));
      made.append('file', new Blob([answering('three')]), 'index.ts');
      return made;
    };
    const refused = {
      status: 403,
      body: {
        code: 'service_role_required',
        message: expect.stringContaining("needs the project's secret key"),
      },
    };
    expect(await asManager('POST', '/deploy?slug=almighty', form(settings))).toMatchObject(refused);
    expect(await asManager('POST', '/almighty/deployments/1/activate')).toMatchObject(refused);
    const halves = [1, 2].map((version) => ({ version, percent: 50 }));
    expect(await asManager('PUT', '/almighty/traffic', halves)).toMatchObject(refused);
    const bulk = [{ id: first['id'], slug: 'almighty', name: 'almighty', status: 'ACTIVE', version: 1 }];
    expect(await asManager('PUT', '', bulk)).toMatchObject(refused);
    expect(await answerOf('almighty')).toBe('two');
    expect(await asManager('PATCH', '/almighty', { name: 'Almighty' })).toMatchObject({ status: 200 });

    expect((await server.manage('POST', '/functions/almighty/deployments/1/activate')).status).toBe(200);
    expect(await asManager('PATCH', '/almighty', { verify_jwt: false })).toMatchObject(refused);
    expect(await asManager('PATCH', '/almighty', { body: answering('three') })).toMatchObject(refused);
    expect(await asManager('POST', '/deploy?slug=almighty', form())).toMatchObject(refused);
    expect(await answerOf('almighty')).toBe('one');
    expect(await asManager('POST', '/deploy?slug=almighty', form({}))).toMatchObject({ status: 201 });
  });

  it('lets requests in flight finish on the deployment they began on', async () => {
    const slow = (text: string) => `Deno.serve((request) => new Response(
      request.body!.pipeThrough(new TransformStream({ flush: (to) => to.enqueue(new TextEncoder().encode('${text}')) }))));`;
    await server.deploy('slow', slow('old'));
    let rest!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (rest = controller) });
    rest.enqueue(new TextEncoder().encode('still '));
    const inFlight = await server.call('slow', { method: 'POST', body, duplex: 'half' } as RequestInit);
    await server.deploy('slow', slow('new'));
    expect(await (await server.call('slow', { method: 'POST', body: '' })).text()).toBe('new');
    rest.close();
    expect(await inFlight.text()).toBe('still old');
  });

  it('is seen by another process within a second', async () => {
    await server.deploy('moving', answering('first'));
    expect(await answerOf('moving')).toBe('first');
    const {
      rows: [other],
    } = await server.platform.database.query<{ id: string }>(
      `insert into deployments (id, project_ref, function_slug, number, manifest, source, code, sha256)
       select gen_random_uuid(), project_ref, function_slug, 2, manifest, source, $1, 'x'
       from deployments where function_slug = 'moving' returning id`,
      [Buffer.from(answering('second'))],
    );
    // As another server's activation would.
    await server.platform.database.query(
      `update functions set active_deployment_id = $1 where slug = 'moving'`,
      [other!.id],
    );
    const changedAt = performance.now();
    while ((await answerOf('moving')) === 'first') expect(performance.now() - changedAt).toBeLessThan(1000);
  });

  it('refuses sources that do not bundle, and keeps what answers', async () => {
    const refused = await server.tryDeploy('greet', 'Deno.serve(() => new Response(missing));');
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'BUNDLE_ERROR', message: expect.stringMatching(/index\.ts/) },
    });
    expect(await answerOf('greet')).toBe('one');
  });

  it.each([
    [{ memory: 1 }, /functions\.greet: unknown key "memory"/],
    [{ permissions: { secrets: ['NOT_SET'] } }, /permissions\.secrets: the secret NOT_SET is not set/],
    [
      { permissions: { tables: { 'public.nowhere': ['select'] } } },
      /there is no table or view public\.nowhere; it would come from a migration, which `galley deploy <folder>` applies/,
    ],
    [
      { permissions: { rpc: ['public.nowhere'] } },
      /there is no database function public\.nowhere; it would come from a migration/,
    ],
    [{ on: [{ event: 'row.updated', table: 'public.nowhere' }] }, /there is no table public\.nowhere/],
  ])('refuses the manifest %j and keeps what answers', async (manifest, message) => {
    const refused = await server.tryDeploy('greet', answering('other'), manifest);
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_manifest' } });
    expect(refused.body['message']).toMatch(message);
    expect(await answerOf('greet')).toBe('one');
  });

  it('needs a secret key', async () => {
    const response = await fetch(`${server.url}/v1/projects/local/functions`, {
      headers: { apikey: server.keys.publishableKey },
    });
    expect(response.status).toBe(403);
    const elsewhere = await fetch(`${server.url}/v1/projects/other/functions`, {
      headers: { authorization: `Bearer ${server.keys.secretKey}` },
    });
    expect(elsewhere.status).toBe(404);
  });

  it('can be undone: a deleted function is gone with its role and subscriptions', async () => {
    await server.deploy('gone', answering('here'), { on: [{ event: 'user.created' }] });
    expect(await answerOf('gone')).toBe('here');
    expect(await server.manage('DELETE', '/functions/gone')).toMatchObject({ status: 200 });
    expect((await server.call('gone')).status).toBe(404);
    expect(await server.manage('DELETE', '/functions/gone')).toMatchObject({ status: 404 });
    const { rows } = await server.project.database.query(
      `select from pg_roles where rolname like 'galley_fn_gone_%' and pg_has_role('authenticator', oid, 'member')`,
    );
    expect(rows).toEqual([]);
    const left = await server.platform.database.query(
      `select from subscriptions where function_slug = 'gone'`,
    );
    expect(left.rowCount).toBe(0);
  });

  it('deploys what has type errors where the manifest asks for no check', async () => {
    const source = `const n: number = 'text'; ${answering('unchecked')}`;
    expect(await server.tryDeploy('unchecked', source)).toMatchObject({
      status: 400,
      body: { code: 'BUNDLE_ERROR', message: expect.stringContaining('index.ts:1:7: ') },
    });
    await server.deploy('unchecked', source, { check: false });
    expect(await answerOf('unchecked')).toBe('unchecked');
  });

  it('answers sources whose paths no file system takes as a mistake in the request', async () => {
    const form = new FormData();
    form.append('metadata', JSON.stringify({ name: 'paths', entrypoint_path: 'index.ts' }));
    for (const path of ['index.ts', `${'é'.repeat(200)}.ts`]) form.append('file', new Blob(['']), path);
    const refused = await server.manage('POST', '/functions/deploy?slug=paths', form);
    expect(refused).toMatchObject({ status: 400, body: { code: 'BUNDLE_ERROR' } });
  });

  describe('that is taken out of service', () => {
    const activations = () => server.get(Activations);
    const rowsOf = async (table: string) =>
      (await server.platform.database.query(`select from ${table} where function_slug = 'resting'`)).rowCount;

    it('is not found, has no rights and no subscriptions, and keeps its deployments', async () => {
      await server.deploy('resting', answering('one'), { on: [{ event: 'user.created' }] });
      await server.deploy('resting', answering('two'), { on: [{ event: 'user.created' }] });
      expect(await answerOf('resting')).toBe('two');
      expect(await activations().deactivate(server.project, 'resting')).toBe(true);
      const answer = await server.call('resting');
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({ code: 'NOT_FOUND' });
      expect([await rowsOf('subscriptions'), await rowsOf('deployments')]).toEqual([0, 2]);
      const { rows } = await server.project.database.query(
        `select from pg_roles where rolname like 'galley_fn_resting_%' and pg_has_role('authenticator', oid, 'member')`,
      );
      expect(rows).toEqual([]);
      expect(await activations().deactivate(server.project, 'resting')).toBe(false);
    });

    it('comes back when one of them is activated', async () => {
      expect(await server.manage('POST', '/functions/resting/deployments/1/activate')).toMatchObject({
        status: 200,
      });
      expect(await answerOf('resting')).toBe('one');
      expect(await rowsOf('subscriptions')).toBe(1);
    });

    it('comes back when it is deployed again, under the next number', async () => {
      await activations().deactivate(server.project, 'resting');
      expect(await server.deploy('resting', answering('three'))).toMatchObject({ version: 3 });
      expect(await answerOf('resting')).toBe('three');
    });

    it('can be deleted with its deployments', async () => {
      await activations().deactivate(server.project, 'resting');
      expect(await server.manage('DELETE', '/functions/resting')).toMatchObject({ status: 200 });
      expect(await rowsOf('deployments')).toBe(0);
    });
  });

  it('finishes an activation whose process died before its last step', async () => {
    await server.project.database.query('create table public.interrupted (id int)');
    const manifest = { permissions: { tables: { 'public.interrupted': ['select'] } } };
    await server.deploy('interrupted', answering('one'), manifest);
    await server.deploy('interrupted', answering('two'));
    // What a crash before settling leaves: the new deployment active, the old one's rights still there.
    const { rows } = await server.project.database.query<{ role: string }>(
      `select rolname as role from pg_roles where rolname like 'galley_fn_interrupted_%'
         and shobj_description(oid, 'pg_authid') is not null`,
    );
    const { role } = rows.at(-1)!;
    await server.project.database.query(
      `grant select on public.interrupted to ${role}; comment on role ${role} is null`,
    );
    // No process of this server has run deployment 2 yet.
    expect(await answerOf('interrupted')).toBe('two');
    const { rows: after } = await server.project.database.query(
      `select has_table_privilege($1, 'public.interrupted', 'select') as may`,
      [role],
    );
    expect(after).toEqual([{ may: false }]);
  });
});

it('a server that starts removes the sources that a killed one was bundling', async () => {
  const leftover = await mkdtemp(join(tmpdir(), 'galley-bundle-'));
  const yesterday = new Date(Date.now() - 24 * 3_600_000);
  await utimes(leftover, yesterday, yesterday);
  const server = await startFunctionsServer();
  await server.close();
  expect(existsSync(leftover)).toBe(false);
});

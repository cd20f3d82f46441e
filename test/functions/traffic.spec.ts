import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InvokeFunction } from '#libs/functions';
import { newId } from '#libs/platform';
import { newDelivery } from './new-delivery.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer();
  await server.project.database.query(`
    create table public.orders (id int);
    create table public.invoices (id int);
    insert into public.orders values (1);
    insert into public.invoices values (1);
    notify galley_schema;
  `);
});
afterAll(() => server.close());

const says = (text: string) =>
  `Deno.serve((request) => new Response('${text} ' + new URL(request.url).pathname));`;

/** Records a deployment without letting it answer. */
async function deployAside(slug: string, source: string, manifest: Record<string, unknown> = {}) {
  const form = new FormData();
  form.append('metadata', JSON.stringify({ entrypoint_path: 'index.ts', galley: manifest }));
  form.append('file', new Blob([source]), 'index.ts');
  return server.manage('POST', `/functions/deploy?slug=${slug}&activate=false`, form);
}

const asOwner = (init: RequestInit = {}): RequestInit => ({
  ...init,
  headers: { ...init.headers, authorization: `Bearer ${server.keys.secretKey}` },
});
const textOf = async (path: string, init?: RequestInit) => (await server.call(path, init)).text();
const split = (slug: string, ...parts: [version: number, percent: number][]) =>
  server.manage(
    'PUT',
    `/functions/${slug}/traffic`,
    parts.map(([version, percent]) => ({ version, percent })),
  );

describe('a deployment that does not answer yet', () => {
  it('leaves everybody with the one before, and is called by its number with the secret key', async () => {
    await server.deploy('shop', says('one'));
    const { status, body } = await deployAside('shop', says('two'));
    expect([status, body]).toEqual([
      201,
      expect.objectContaining({ version: 2, active: false, preview: 'shop@2', created: true }),
    ]);
    expect(await textOf('shop/cart')).toBe('one /shop/cart');
    expect(await textOf('shop@2/cart?x=1', asOwner())).toBe('two /shop/cart');
    const { data } = await server.client(server.keys.secretKey).functions.invoke('shop@2');
    expect(data).toBe('two /shop');
  });

  it('is not within reach of anybody else, and does not tell whether it is there', async () => {
    await deployAside('hidden', says('secret'), { verify_jwt: false });
    for (const path of ['hidden@1', 'hidden@7', 'hidden%401']) {
      const response = await server.call(path);
      expect([response.status, await response.json()]).toEqual([
        403,
        expect.objectContaining({ code: 'PREVIEW_NOT_ALLOWED' }),
      ]);
    }
    expect((await server.call('hidden')).status).toBe(404);
    expect((await server.call('hidden@7', asOwner())).status).toBe(404);
    expect(await textOf('hidden@1', asOwner())).toBe('secret /hidden');
  });

  it('is tried as a person by who sends the secret key beside the token', async () => {
    await deployAside(
      'whoami',
      `Deno.serve((request) => new Response(request.headers.get('authorization').split(' ')[1]));`,
    );
    const token = server.project.tokens.sign({ role: 'authenticated', sub: newId() }, 60);
    const headers = { authorization: `Bearer ${token}`, apikey: server.keys.secretKey };
    expect(await textOf('whoami@1', { headers })).toBe(token);
  });

  it('holds the rights that it declares, and gives none of them to what answers', async () => {
    const read = `Deno.serve(async (request) => {
      const statuses = await Promise.all(['orders', 'invoices'].map(async (table) =>
        (await fetch(Deno.env.get('SUPABASE_URL') + '/rest/v1/' + table, {
          headers: { authorization: 'Bearer ' + request.headers.get('x-galley-token') } })).status));
      return Response.json(statuses);
    });`;
    const tables = (...names: string[]) => ({
      permissions: { tables: Object.fromEntries(names.map((name) => [`public.${name}`, ['select']])) },
    });
    await server.deploy('reader', read, tables('orders'));
    await deployAside('reader', `${read}//`, tables('invoices'));
    expect(await textOf('reader@2', asOwner())).toBe('[403,200]');
    expect(await textOf('reader')).toBe('[200,403]');
    expect(await textOf('reader@1', asOwner())).toBe('[200,403]');
    await split('reader', [1, 50], [2, 50]);
    expect(await textOf('reader')).toBe('[200,200]');
    await split('reader', [2, 100]);
    expect(await textOf('reader')).toBe('[403,200]');
    expect(await textOf('reader@1', asOwner())).toBe('[200,403]');
    await server.manage('DELETE', '/functions/reader');
    const { rows } = await server.project.database.query(
      `select policyname from pg_policies where policyname like 'galley reader %'`,
    );
    expect(rows).toEqual([]);
  });

  it('says what it needs that is not there', async () => {
    await deployAside('early', says('x'), { permissions: { tables: { 'public.later': ['select'] } } });
    const response = await server.call('early@1', asOwner());
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ message: expect.stringContaining('no table or view public.later') }),
    ]);
  });
});

describe('traffic', () => {
  it('is shared out by percentage, and all of it goes back at once', async () => {
    await server.deploy('web', says('one'));
    await deployAside('web', says('two'));
    const answer = await split('web', [1, 50], [2, 50]);
    expect([answer.status, answer.body]).toEqual([
      200,
      [
        expect.objectContaining({ version: 1, percent: 50, active: true }),
        expect.objectContaining({ version: 2, percent: 50, active: false, preview: 'web@2' }),
      ],
    ]);
    const answers = new Set<string>();
    while (answers.size < 2) answers.add(await textOf('web'));
    expect([...answers].toSorted()).toEqual(['one /web', 'two /web']);
    await server.manage('POST', '/functions/web/deployments/1/activate');
    for (let i = 0; i < 20; i += 1) expect(await textOf('web')).toBe('one /web');
    expect((await server.manage('GET', '/functions/web/traffic')).body).toMatchObject([
      { version: 1, percent: 100, active: true },
    ]);
  });

  it('of one event goes to the same deployment at each try', async () => {
    await server.deploy('mails', `Deno.serve(() => new Response('', { status: 501 }));`);
    await deployAside('mails', `Deno.serve(() => new Response('', { status: 502 }));`);
    await split('mails', [1, 50], [2, 50]);
    const metBy = async (eventId: string) => {
      const delivery = newDelivery('mails', { eventId });
      const { signal } = new AbortController();
      const outcome = await server.get(InvokeFunction).invokeForEvent(server.project, delivery, signal);
      return outcome.record!.httpStatus;
    };
    const seen = new Set<number | null>();
    for (let i = 0; seen.size < 2 || i < 6; i += 1) {
      const eventId = newId();
      const first = await metBy(eventId);
      expect(await metBy(eventId)).toBe(first);
      seen.add(first);
    }
  });

  it("keeps the active deployment's subscriptions, and those of the largest part when that is not in it", async () => {
    const on = (event: string) => ({ on: [{ event }] });
    await server.deploy('woken', says('one'), on('user.created'));
    await deployAside('woken', says('two'), on('object.created'));
    await deployAside('woken', says('three'), on('object.removed'));
    const events = async () =>
      (
        await server.platform.database.query<{ event: string }>(
          `select event from subscriptions where function_slug = 'woken'`,
        )
      ).rows.map(({ event }) => event);
    await split('woken', [1, 10], [2, 90]);
    expect(await events()).toEqual(['user.created']);
    await split('woken', [2, 40], [3, 60]);
    expect(await events()).toEqual(['object.removed']);
    await server.manage('POST', '/functions/woken/deployments/1/activate');
    expect(await events()).toEqual(['user.created']);
  });

  it('does not take a request from the deployment that it began on', async () => {
    await server.deploy(
      'streams',
      `let go; const gate = new Promise((resolve) => (go = resolve));
       Deno.serve({ handler(request) {
         if (request.method === 'POST') { go(); return new Response('one'); }
         const text = new TextEncoder();
         return new Response(new ReadableStream({ async start(controller) {
           controller.enqueue(text.encode('begun on one, ')); await gate;
           controller.enqueue(text.encode('ended on one')); controller.close(); } }));
       } });`,
      { concurrency: 2, max_instances: 1 },
    );
    const response = await server.call('streams');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('begun on one, ');
    await server.deploy('streams', says('two'));
    expect(await textOf('streams')).toBe('two /streams');
    expect(await textOf('streams@1', asOwner({ method: 'POST' }))).toBe('one');
    expect(await reader.read()).toMatchObject({ value: 'ended on one' });
    expect((await reader.read()).done).toBe(true);
  });

  it.each([
    [[[1, 50]], 400, 'make 100 together'],
    [
      [
        [1, 50],
        [1, 50],
      ],
      400,
      'each version once',
    ],
    [
      [
        [1, 50],
        [9, 50],
      ],
      404,
      'no deployment 9',
    ],
    [
      [
        [1, 0],
        [2, 100],
      ],
      400,
      'expected at least 1',
    ],
    [[], 400, 'expected at least 1 entry'],
  ])('%j is refused, and nothing changes', async (parts, status, message) => {
    await server.tryDeploy('steady', says('one'));
    const answer = await split('steady', ...(parts as [number, number][]));
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, expect.stringContaining(message)]);
    expect(await textOf('steady')).toBe('one /steady');
  });

  it('is split among at most ten', async () => {
    const parts = Array.from({ length: 11 }, (_, i): [number, number] => [i + 1, i === 0 ? 90 : 1]);
    expect((await split('steady', ...parts)).status).toBe(400);
  });

  it('is for the owner of the project alone', async () => {
    const response = await fetch(`${server.url}/v1/projects/local/functions/steady/traffic`, {
      headers: { authorization: `Bearer ${server.keys.publishableKey}` },
    });
    expect(response.status).toBe(403);
  });
});

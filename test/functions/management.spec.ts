import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

const answering = (text: string) => `Deno.serve(() => new Response(${JSON.stringify(text)}));`;

describe('the management API of functions', () => {
  let server: FunctionsServer;
  beforeAll(async () => {
    server = await startFunctionsServer();
  });
  afterAll(() => server.close());

  const answerOf = async (slug: string) => (await server.call(slug)).text();
  /** Deploys as Supabase's CLI does: it knows nothing of the manifest. */
  const upload = (slug: string, source: string, query = '', metadata: object = {}) => {
    const form = new FormData();
    const path = `supabase/functions/${slug}/index.ts`;
    form.append(
      'metadata',
      JSON.stringify({ name: slug, entrypoint_path: path, verify_jwt: true, ...metadata }),
    );
    form.append('file', new Blob([source]), path);
    return server.manage('POST', `/functions/deploy?slug=${slug}${query}`, form);
  };
  const get = async (path: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/v1/projects/local${path}`, {
      headers: { authorization: `Bearer ${server.keys.secretKey}`, ...headers },
    });

  describe('bundles several functions and activates them together', () => {
    const entryOf = ({ body }: { body: Record<string, unknown> }) => {
      const { id, slug, name, status, version, verify_jwt, entrypoint_path, import_map, created_at } = body;
      return { id, slug, name, status, version, verify_jwt, entrypoint_path, import_map, created_at };
    };

    it('with none of them answering before', async () => {
      const left = await upload('left', answering('left'), '&bundleOnly=true');
      const right = await upload('right', answering('right'), '&bundleOnly=true');
      expect(left).toMatchObject({ status: 201, body: { version: 1, active: false, created: true } });
      expect((await server.call('left')).status).toBe(404);
      expect((await server.manage('GET', '/functions')).body).toEqual([]);
      const updated = await server.manage('PUT', '/functions', [entryOf(left), entryOf(right)]);
      expect(updated).toMatchObject({
        status: 200,
        body: {
          functions: [
            { slug: 'left', version: 1 },
            { slug: 'right', version: 1 },
          ],
        },
      });
      expect([await answerOf('left'), await answerOf('right')]).toEqual(['left', 'right']);
    });

    it('also those that are active already', async () => {
      const left = await upload('left', answering('left'), '&bundleOnly=true');
      const right = await upload('right', answering('right again'), '&bundleOnly=true');
      expect(left.body).toMatchObject({ version: 1, active: true, created: false });
      const updated = await server.manage('PUT', '/functions', [entryOf(left), entryOf(right)]);
      expect(updated).toMatchObject({ status: 200, body: { functions: [{ version: 1 }, { version: 2 }] } });
      expect([await answerOf('left'), await answerOf('right')]).toEqual(['left', 'right again']);
    });

    it('or activates none of them', async () => {
      const next = await upload('left', answering('next'), '&bundleOnly=true');
      const wrong = { ...entryOf(next), slug: 'right', version: 7 };
      const refused = await server.manage('PUT', '/functions', [entryOf(next), wrong]);
      expect(refused).toMatchObject({
        status: 400,
        body: { message: 'functions.1: function right has no deployment 7' },
      });
      expect(await answerOf('left')).toBe('left');
    });

    it.each([
      [{ verify_jwt: false }, 'functions.0.verify_jwt: deployment 1 of left has true'],
      [{ id: 'other' }, /functions\.0\.id: deployment 1 of left has/],
      [{ status: 'REMOVED' }, /functions\.0\.status: expected ACTIVE/],
      [{ decorators: true }, /Unrecognized key: "decorators"/],
    ])('and refuses what would change one: %j', async (change, message) => {
      const [left] = (await server.manage('GET', '/functions/left/deployments')).body.slice(-1);
      const entry = { ...entryOf({ body: left as Record<string, unknown> }), status: 'ACTIVE', ...change };
      const refused = await server.manage('PUT', '/functions', [entry]);
      expect(refused.status).toBe(400);
      expect(refused.body['message']).toEqual(
        typeof message === 'string' ? message : expect.stringMatching(message),
      );
    });
  });

  it('keeps limits and permissions when a client that does not know them deploys', async () => {
    await server.deploy('kept', answering('one'), { memory_mb: 96 });
    expect(await upload('kept', answering('two'), '', { verify_jwt: false })).toMatchObject({
      status: 201,
      body: { version: 2, verify_jwt: false, galley: { memory_mb: 96, verify_jwt: false } },
    });
  });

  it('makes a function of one module given as text, once', async () => {
    const created = await server.manage('POST', '/functions', {
      slug: 'text',
      name: 'Text!',
      verify_jwt: false,
      body: answering('text'),
    });
    expect(created).toMatchObject({
      status: 201,
      body: { slug: 'text', name: 'Text!', version: 1, verify_jwt: false },
    });
    expect(await answerOf('text')).toBe('text');
    expect(await server.manage('POST', '/functions', { slug: 'text', body: '' })).toMatchObject({
      status: 400,
      body: { message: 'Duplicated function slug' },
    });
  });

  it('changes name and verify_jwt by a new deployment of the same code, from which there is a way back', async () => {
    await server.deploy('changing', answering('same'), { memory_mb: 96 });
    const changed = await server.manage('PATCH', '/functions/changing', {
      name: 'Changed',
      verify_jwt: false,
    });
    const expected = { version: 2, name: 'Changed', verify_jwt: false, galley: { memory_mb: 96 } };
    expect(changed).toMatchObject({ status: 200, body: expected });
    expect((await server.manage('GET', '/functions/changing')).body).toMatchObject(expected);
    const withoutToken = () => fetch(`${server.url}/functions/v1/changing`);
    expect(await (await withoutToken()).text()).toBe('same');
    await server.manage('POST', '/functions/changing/deployments/1/activate');
    expect((await withoutToken()).status).toBe(401);
    expect((await server.manage('GET', '/functions/changing')).body).toMatchObject({
      name: 'changing',
      verify_jwt: true,
    });
    const replaced = await server.manage('PATCH', '/functions/changing', { body: answering('other') });
    expect(replaced).toMatchObject({ status: 200, body: { version: 3, galley: { memory_mb: 96 } } });
    expect(await answerOf('changing')).toBe('other');
  });

  it('takes a function out of service, tells its deployments, and brings one back', async () => {
    await server.deploy('idle', answering('idle'));
    expect(await server.manage('POST', '/functions/idle/deactivate')).toMatchObject({
      status: 200,
      body: { slug: 'idle', status: 'REMOVED' },
    });
    expect((await server.call('idle')).status).toBe(404);
    expect((await server.manage('POST', '/functions/idle/deactivate')).status).toBe(404);
    expect(await server.manage('GET', '/functions/idle/deployments')).toMatchObject({
      status: 200,
      body: [{ version: 1, active: false }],
    });
    await server.manage('POST', '/functions/idle/deployments/1/activate');
    expect(await answerOf('idle')).toBe('idle');
  });

  it('gives the sources back as they were sent', async () => {
    const form = new FormData();
    const files = {
      'supabase/functions/whole/index.ts': `import { wörd } from '../_shared/wörd.ts'; ${answering('whole')} void wörd;`,
      'supabase/functions/_shared/wörd.ts': 'export const wörd = 1;',
      'supabase/functions/whole/binary.bin': Buffer.from([0, 255, 13, 10]),
    };
    form.append(
      'metadata',
      JSON.stringify({ name: 'whole', entrypoint_path: 'supabase/functions/whole/index.ts' }),
    );
    for (const [path, text] of Object.entries(files)) form.append('file', new Blob([text]), path);
    expect((await server.manage('POST', '/functions/deploy?slug=whole', form)).status).toBe(201);
    const response = await get('/functions/whole/body', { accept: 'multipart/form-data' });
    expect(response.headers.get('content-type')).toMatch(/^multipart\/form-data; boundary=/);
    const back = await response.formData();
    expect(JSON.parse(back.get('metadata') as string)).toMatchObject({
      deno2_entrypoint_path: 'supabase/functions/whole/index.ts',
    });
    const sent = Object.entries(files).map(([path, text]) => [path, Buffer.from(text).toString('hex')]);
    const parts = back.getAll('file') as File[];
    const received = await Promise.all(
      parts.map(async (part) => [part.name, Buffer.from(await part.arrayBuffer()).toString('hex')]),
    );
    expect(received.toSorted()).toEqual(sent.toSorted());
    expect((await get('/functions/whole/body', { accept: 'application/json' })).status).toBe(406);
    expect((await get('/functions/missing/body')).status).toBe(404);
  });

  it.each([
    ['POST', '/functions/deploy?slug=x&bundle_only=true', 400, /Unrecognized key: "bundle_only"/],
    ['POST', '/functions/deploy?slug=x&bundleOnly=maybe', 400, /bundleOnly/],
    ['POST', '/functions?slug=x&ezbr_sha256=0', 400, /Unrecognized key: "ezbr_sha256"/],
    ['POST', '/functions', 400, /body/],
    ['PATCH', '/functions/left', 400, /Expected name, verify_jwt or body/],
    ['PATCH', '/functions/left?slug=right', 400, /a function's slug does not change/],
    ['PATCH', '/functions/missing?name=x', 404, /There is no function missing/],
    ['PUT', '/functions', 400, /functions/],
    ['GET', '/functions/missing/deployments', 404, /There is no function missing/],
  ])('answers %s %s with %d', async (method, path, status, message) => {
    const refused = await server.manage(method, path);
    expect(refused).toMatchObject({ status, body: { message: expect.stringMatching(message) } });
  });

  it('says of a change that only a deployment makes how it is made, and of a function without a name what is missing', async () => {
    expect(await server.manage('PATCH', '/functions/left', { memory_mb: 3 })).toMatchObject({
      status: 400,
      body: {
        message: expect.stringMatching(
          /^unknown key "memory_mb"; expected name, verify_jwt or body\. .* change by deploying: /,
        ),
      },
    });
    expect(await server.manage('POST', '/functions', { body: '' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_slug', message: 'slug is missing' },
    });
  });

  it('refuses an eszip, and says what to do instead', async () => {
    const response = await fetch(`${server.url}/v1/projects/local/functions?slug=zip`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${server.keys.secretKey}`,
        'content-type': 'application/vnd.denoland.eszip',
      },
      body: 'ESZIP2.3',
    });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ message: expect.stringContaining('--use-api') });
  });

  it.each([
    '../index.ts',
    '/etc/passwd',
    'a/../../b.ts',
    'a\\b.ts',
    'C:/x.ts',
    'x%2e%2e/y.ts',
    'a\u0000b.ts',
  ])('refuses a source named %j', async (path) => {
    const form = new FormData();
    form.append('metadata', JSON.stringify({ entrypoint_path: 'index.ts' }));
    form.append('file', new Blob([answering('x')]), 'index.ts');
    form.append('file', new Blob(['x']), path);
    const refused = await server.manage('POST', '/functions/deploy?slug=slip', form);
    expect(refused.status).toBe(400);
    expect((await server.manage('GET', '/functions/slip')).status).toBe(404);
  });

  it('takes what has type errors from who knows nothing of Galley, as Supabase does, and says so', async () => {
    const wrong = `const n: number = 'unchecked'; ${answering('unchecked')}`;
    const deployed = await upload('unchecked', wrong);
    expect(deployed).toMatchObject({ status: 201, body: { galley: { check: false } } });
    expect(await answerOf('unchecked')).toBe('unchecked');
    const log = await get(`/functions/unchecked/builds/${deployed.body['build_id'] as string}/logs`);
    expect(await log.json()).toContainEqual(expect.objectContaining({ message: 'Types are not checked' }));
    expect(await upload('unchecked', wrong, '', { galley: {} })).toMatchObject({
      status: 400,
      body: { code: 'BUNDLE_ERROR', message: expect.stringContaining('index.ts:1:7') },
    });
    const created = await server.manage('POST', '/functions', { slug: 'unchecked-too', body: wrong });
    expect(created).toMatchObject({ status: 201 });
  });
});

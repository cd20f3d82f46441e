import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '#libs/platform';
import { DenoRuntime } from '../../libs/functions/src/runtime/deno-runtime.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';
import { call, scratchDataDir, specFor } from './runtime-support.js';

/** Answers with the file that is asked for, read as Supabase's documentation does. */
const reader = `Deno.serve(async (request) => {
  const name = new URL(request.url).searchParams.get('file');
  const told = async (read) => read.then((text) => text, (error) => error.name);
  return Response.json([
    await told(Deno.readTextFile(new URL(name, import.meta.url))),
    await told(Deno.readTextFile(import.meta.dirname + '/' + name)),
  ]);
});`;

describe('static files', () => {
  let server: FunctionsServer;
  beforeAll(async () => {
    server = await startFunctionsServer();
  });
  afterAll(() => server.close());

  const deploy = (
    slug: string,
    patterns: string[],
    files: Record<string, string | Uint8Array<ArrayBuffer>>,
    query = '',
  ) => {
    const form = new FormData();
    const path = `supabase/functions/${slug}/index.ts`;
    const metadata = { name: slug, entrypoint_path: path, static_patterns: patterns };
    form.append('metadata', JSON.stringify(metadata));
    form.append('file', new Blob([reader]), path);
    for (const [name, content] of Object.entries(files)) form.append('file', new Blob([content]), name);
    return server.manage('POST', `/functions/deploy?slug=${slug}${query}`, form);
  };
  const read = async (slug: string, file: string) =>
    (await (await server.call(`${slug}?file=${encodeURIComponent(file)}`)).json()) as [string, string];

  it('are read beside the module, also from folders, and nothing else of the sources is', async () => {
    const deployed = await deploy(
      'site',
      ['./supabase/functions/site/*.html', 'supabase/functions/site/texts/**'],
      {
        'supabase/functions/site/page.html': '<h1>Hello</h1>',
        'supabase/functions/site/texts/en/hello.txt': 'hello',
        'supabase/functions/site/secret.md': 'not named',
        'supabase/functions/_shared/other.html': 'not named either',
      },
    );
    expect(deployed).toMatchObject({ status: 201, body: { version: 1 } });
    expect(await read('site', './page.html')).toEqual(['<h1>Hello</h1>', '<h1>Hello</h1>']);
    expect(await read('site', 'texts/en/hello.txt')).toEqual(['hello', 'hello']);
    expect(await read('site', 'secret.md')).toEqual(['NotFound', 'NotFound']);
    for (const outside of [
      '../_shared/other.html',
      '../../etc/passwd',
      'texts/../../deno/dep_analysis_cache_v2',
    ]) {
      const [byUrl, byPath] = await read('site', outside);
      expect([byUrl, byPath]).toEqual([
        expect.stringMatching(/^(NotFound|NotCapable)$/),
        expect.stringMatching(/^(NotFound|NotCapable)$/),
      ]);
    }
  });

  it('make a new deployment when they change, and its predecessor keeps its own', async () => {
    const page = (text: string) =>
      deploy('pages', ['supabase/functions/pages/page.html'], {
        'supabase/functions/pages/page.html': text,
      });
    expect((await page('one')).body).toMatchObject({ version: 1, created: true });
    expect((await page('one')).body).toMatchObject({ version: 1, created: false });
    expect((await page('two')).body).toMatchObject({ version: 2, created: true });
    expect(await read('pages', 'page.html')).toEqual(['two', 'two']);
    await server.manage('POST', '/functions/pages/deployments/1/activate');
    expect(await read('pages', 'page.html')).toEqual(['one', 'one']);
    const changed = await server.manage('PATCH', '/functions/pages', { name: 'Pages' });
    expect(changed.body).toMatchObject({ version: 3 });
    expect(await read('pages', 'page.html')).toEqual(['one', 'one']);
  });

  it.each([
    [
      ['supabase/functions/bad/*.htm'],
      'The static files "supabase/functions/bad/*.htm" are not there: no file has such a path.',
    ],
    [['/etc/passwd'], 'The static files "/etc/passwd" are not there: no file has such a path.'],
    [['../../etc/*'], 'The static files "../../etc/*" are not there: no file has such a path.'],
    [
      ['supabase/functions/*/*.html'],
      'The static file supabase/functions/other/page.html lies outside of supabase/functions/bad, the folder of the entry point.',
    ],
    [
      ['supabase/functions/bad/main.js'],
      'supabase/functions/bad/main.js cannot be a static file: the bundled function has its name.',
    ],
    [Array<string>(101).fill('x'), 'There are 101 patterns of static files; the limit is 100.'],
  ])('are refused where patterns are %j, and nothing is deployed', async (patterns, message) => {
    const refused = await deploy('bad', patterns, {
      'supabase/functions/bad/page.html': 'x',
      'supabase/functions/bad/main.js': 'x',
      'supabase/functions/other/page.html': 'x',
    });
    expect(refused).toMatchObject({ status: 400, body: { code: 'BUNDLE_ERROR', message } });
    expect((await server.call('bad')).status).toBe(404);
    expect((await server.manage('GET', '/functions/bad/builds')).body[0]).toMatchObject({
      status: 'failed',
      error: message,
    });
  });

  it('are refused beyond 10 MB', async () => {
    const large = new Uint8Array(10 * 1024 * 1024 + 1);
    const refused = await deploy('large', ['supabase/functions/large/*.bin'], {
      'supabase/functions/large/data.bin': large,
    });
    expect(refused).toMatchObject({
      status: 400,
      body: { message: `The static files have ${large.byteLength} bytes; the limit is 10485760.` },
    });
  });

  it('are there, and nobody else’s, where the host has no namespaces', async () => {
    const dataDir = scratchDataDir();
    const runtime = await DenoRuntime.open({ dataDir: dataDir.path, namespaces: false });
    try {
      const spec = specFor(reader, {
        deploymentId: newId(),
        files: async () =>
          new Map([
            ['main.js', Buffer.from(reader)],
            ['texts/en/hello.txt', Buffer.from('hello')],
          ]),
      });
      const { text } = await call(await runtime.start(spec), '/?file=texts/en/hello.txt');
      expect(JSON.parse(text)).toEqual(['hello', 'hello']);
      const escaping = specFor(reader, { files: async () => new Map([['../main.js', Buffer.from(reader)]]) });
      await expect(runtime.start(escaping)).rejects.toMatchObject({ code: 'BOOT_ERROR' });
    } finally {
      await runtime.close();
      dataDir.remove();
    }
  });
});

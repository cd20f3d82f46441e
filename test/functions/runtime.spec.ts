import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { AppError } from '#libs/platform';
import { Cancellation } from '../../libs/functions/src/cancellation.js';
import { runtimeBases } from '../../libs/functions/src/runtime/run-directory.js';
import { eventually } from '../support/eventually.js';
import { call, useRuntime, specFor } from './runtime-support.js';

const used = useRuntime();

describe('handlers', () => {
  it.each([
    ['Deno.serve(handler)', `Deno.serve((req) => new Response(req.method + ' ' + new URL(req.url).href));`],
    [
      'Deno.serve(options, handler)',
      `Deno.serve({ port: 8000 }, (req) => new Response(req.method + ' ' + new URL(req.url).href));`,
    ],
    [
      'Deno.serve({ handler })',
      `Deno.serve({ port: 1, handler: (req) => new Response(req.method + ' ' + new URL(req.url).href) });`,
    ],
    [
      'a default object with fetch',
      `export default { fetch: (req) => new Response(req.method + ' ' + req.url) };`,
    ],
    ['a default function', `export default async (req) => new Response(req.method + ' ' + req.url);`],
    [
      'a node:http server',
      `import http from 'node:http';
       http.createServer((req, res) => res.end(req.method + ' http://' + req.headers.host + req.url)).listen(3000);`,
    ],
  ])('runs %s and shows it an http URL made of the host header', async (_name, code) => {
    const instance = await used.runtime.start(specFor(code));
    const answer = await call(instance, '/hello?x=1', { method: 'POST', body: 'b' });
    expect(answer).toMatchObject({ status: 200, text: 'POST http://api.test/hello?x=1' });
    instance.kill('removed');
  });

  it('makes the URL https when the front door says that the client came over TLS', async () => {
    const instance = await used.runtime.start(specFor(`Deno.serve((req) => new Response(req.url));`));
    const { text } = await call(instance, '/', { headers: { 'x-forwarded-proto': 'https' } });
    expect(text).toBe('https://api.test/');
  });

  it('streams request and response bodies, and carries status and repeated headers', async () => {
    const instance = await used.runtime.start(
      specFor(`Deno.serve((req) => new Response(req.body.pipeThrough(new TextDecoderStream())
        .pipeThrough(new TransformStream({ transform: (t, c) => c.enqueue(t.toUpperCase()) }))
        .pipeThrough(new TextEncoderStream()), { status: 418, headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2']] }));`),
    );
    const body = Readable.from([Buffer.from('one '), Buffer.from('two')]);
    const answer = await call(instance, '/', { method: 'POST', body });
    expect(answer).toMatchObject({ status: 418, text: 'ONE TWO', headers: { 'set-cookie': ['a=1', 'b=2'] } });
  });

  it('shows an abort of the caller to the function as request.signal', async () => {
    const spec = specFor(`Deno.serve((req) => new Promise(() => {
      console.log('started'); req.signal.addEventListener('abort', () => console.log('aborted')); }));`);
    const instance = await used.runtime.start(spec);
    const cancellation = new Cancellation();
    const pending = call(instance, '/', { cancellation });
    await eventually(() => spec.logs.some((line) => line.message === 'started'));
    cancellation.cancel(new Error('gone'));
    await expect(pending).rejects.toThrow('gone');
    await eventually(() => spec.logs.some((line) => line.message === 'aborted'));
  });

  it('runs code compiled before when several instances of a deployment start at once', async () => {
    const spec = specFor(`export default () => new Response('hi');`);
    const instances = await Promise.all([1, 2, 3, 4].map(() => used.runtime.start(spec)));
    const answers = await Promise.all(instances.map((instance) => call(instance)));
    expect(answers.map((answer) => answer.text)).toEqual(['hi', 'hi', 'hi', 'hi']);
    for (const instance of instances) instance.kill('removed');
  });

  it('keeps what was compiled for the next start, where each instance has a Deno directory of its own', async () => {
    if (used.runtime.isolation().network !== 'namespace') return;
    const compiled = () =>
      runtimeBases(used.dataDir).flatMap((base) => {
        const root = join(base, 'deployments');
        const names = existsSync(root) ? readdirSync(root) : [];
        return names.filter((name) => existsSync(join(root, name, 'compiled', 'v8_code_cache_v2')));
      });
    const before = compiled().length;
    const spec = specFor(`export default () => new Response('hi'); // ${'x'.repeat(300_000)}`);
    for (let start = 0; start < 2; start += 1) {
      const instance = await used.runtime.start(spec);
      expect((await call(instance)).text).toBe('hi');
      instance.kill('idle');
      await eventually(() => compiled().length > before);
    }
  });

  it('knows the loader already when it starts a deployment for the first time', async () => {
    if (used.runtime.isolation().network !== 'namespace') return;
    const run = runtimeBases(used.dataDir).map((base) => join(base, 'run'));
    const logs = run.flatMap((path) =>
      existsSync(path)
        ? readdirSync(path, { recursive: true, encoding: 'utf8' })
            .filter((name) => /template-[^/]*\/deno\/v8_code_cache_v2-wal$/.test(name))
            .map((name) => statSync(join(path, name)).size)
        : [],
    );
    // What one process compiled before any function came; a template of none has no more than its tables.
    expect(Math.max(...logs)).toBeGreaterThan(200_000);
  });

  it('starts each of many instances that are started at the same moment', async () => {
    const spec = specFor(`Deno.serve(() => new Response('here'));`);
    const started: string[] = [];
    const lane = async () => {
      for (let i = 0; i < 12; i++) {
        const instance = await used.runtime.start(spec);
        started.push((await call(instance)).text);
        instance.kill('idle');
      }
    };
    await Promise.all(Array.from({ length: 10 }, lane));
    expect(started).toEqual(Array.from({ length: 120 }, () => 'here'));
  });
});

describe('a failed start', () => {
  it('tells what the module threw', async () => {
    await expect(used.runtime.start(specFor(`throw new Error('no luck today');`))).rejects.toMatchObject({
      code: 'BOOT_ERROR',
      status: 503,
      message: 'The function did not start: its process ended with code 1.',
      details: expect.stringContaining('no luck today'),
    });
  });

  it('tells that nothing was exported or served', async () => {
    await expect(used.runtime.start(specFor(`export const x = 1;`))).rejects.toMatchObject({
      code: 'BOOT_ERROR',
      details: expect.stringContaining('neither called Deno.serve nor exported a default handler'),
    });
  });

  it('gives up after the boot timeout, even when the module never yields', async () => {
    const spec = specFor(`for (;;);`, { limits: { memoryBytes: 64 * 1024 * 1024, bootTimeoutMs: 300 } });
    await expect(used.runtime.start(spec)).rejects.toMatchObject({
      code: 'BOOT_ERROR',
      message: 'The function did not start: it did not listen within 300 ms.',
    });
  });

  it.each([
    [{ LD_PRELOAD: '/tmp/x.so' }, 'The environment name LD_PRELOAD is reserved.'],
    [{ HTTPS_PROXY: 'http://10.0.0.1' }, 'The environment name HTTPS_PROXY is reserved.'],
    [{ 'A,B': '1' }, 'The environment name "A,B" is not valid.'],
  ])('refuses the environment %j', async (env, message) => {
    await expect(
      used.runtime.start(specFor('', { env: env as Record<string, string> })),
    ).rejects.toMatchObject({
      code: 'BOOT_ERROR',
      message,
    });
  });

  it.each(['unix:/var/run/docker.sock', 'a.com,b.com', '*', 'http://a.com', ''])(
    'refuses the host %j',
    async (host) => {
      await expect(used.runtime.start(specFor('', { allowedHosts: [host] }))).rejects.toMatchObject({
        code: 'BOOT_ERROR',
      });
    },
  );
});

describe('logs', () => {
  it('carry their level and the invocation that wrote them', async () => {
    const spec = specFor(`Deno.serve(() => {
      console.debug('d', { a: 1 }); console.log('first\\nsecond %d', 2); console.info('i'); console.warn('w'); console.error(new Error('e').message);
      return new Response(); });`);
    const instance = await used.runtime.start(spec);
    await call(instance, '/', { invocationId: 'inv-1' });
    await eventually(() => spec.logs.length === 5);
    const got = spec.logs.map(({ level, message, invocationId }) => [level, message, invocationId]);
    expect(got.toSorted()).toEqual([
      ['debug', 'd { a: 1 }', 'inv-1'],
      ['error', 'e', 'inv-1'],
      ['info', 'first\nsecond 2', 'inv-1'],
      ['info', 'i', 'inv-1'],
      ['warn', 'w', 'inv-1'],
    ]);
  });

  it.each([
    ['an error that nothing catches', `setTimeout(() => { throw new Error('oh'); });`],
    ['a rejection that nothing handles', `setTimeout(() => { Promise.reject(new Error('oh')); });`],
    ['an error of the handler', `throw new Error('oh');`],
  ])('hold %s as one record, with its stack and no path of this host', async (_name, fails) => {
    const spec = specFor(`Deno.serve(() => { ${fails} return new Response(); });`);
    const instance = await used.runtime.start(spec);
    await call(instance).catch(() => {});
    const [record, ...more] = await eventually(() => spec.logs.length > 0 && spec.logs);
    instance.kill('removed');
    await instance.exited;
    expect(more).toEqual([]);
    expect(record).toMatchObject({
      level: 'error',
      message: expect.stringMatching(/Error: oh\n[^]*main\.js:1:/),
    });
    expect(record!.message).not.toContain(used.dataDir);
  });

  it('hold what a module throws as it is loaded as one record, and so do the details of the failed start', async () => {
    const spec = specFor(`throw new Error('no luck');`);
    const failure = (await used.runtime.start(spec).catch((error: unknown) => error)) as AppError;
    expect(failure.details).toContain('main.js:1:');
    expect(spec.logs).toHaveLength(1);
    for (const text of [failure.details!, spec.logs[0]!.message]) expect(text).not.toContain(used.dataDir);
    const translateStack = async (stack: string) => stack.replaceAll('main.js', 'index.ts');
    const translated = used.runtime.start(specFor(`throw new Error('no luck');`, { translateStack }));
    await expect(translated).rejects.toMatchObject({ details: expect.stringContaining('index.ts:1:7') });
  });

  it('escape control characters', async () => {
    const spec = specFor(`console.log('\\x1b[31mred\\x00'); Deno.serve(() => new Response());`);
    await used.runtime.start(spec);
    await eventually(() => spec.logs.length === 1);
    expect(spec.logs[0]?.message).toBe('\\u001b[31mred\\u0000');
  });

  it('of a flood are capped at 100 records, and a line at 10,000 characters', async () => {
    const spec = specFor(`Deno.serve(() => {
      console.log('x'.repeat(1_000_000));
      const line = new TextEncoder().encode('y'.repeat(99) + '\\n');
      for (let i = 0; i < 50_000; i++) Deno.stdout.writeSync(line);
      return new Response('done'); });`);
    const instance = await used.runtime.start(spec);
    expect((await call(instance)).text).toBe('done');
    instance.kill('removed');
    await instance.exited;
    expect(spec.logs).toHaveLength(101);
    expect(spec.logs[0]?.message).toHaveLength(10_001);
    expect(spec.logs.at(-1)?.message).toMatch(/^\d+ log records were dropped: the limit is 100 in 10 s\.$/);
  });
});

describe('measurement', () => {
  it('counts the processor time of the invocation and not the wait', async () => {
    const instance = await used.runtime.start(
      specFor(`Deno.serve(async (req) => {
        if (req.url.endsWith('/spin')) { const end = performance.now() + 200; while (performance.now() < end); }
        else await new Promise((r) => setTimeout(r, 200));
        return new Response(); });`),
    );
    const spinning = instance.startMeter();
    await call(instance, '/spin');
    const spun = spinning();
    const waiting = instance.startMeter();
    await call(instance, '/wait');
    expect(spun.cpuMs).toBeGreaterThan(50);
    expect(waiting().cpuMs).toBeLessThan(spun.cpuMs! / 2);
  });

  it('tells the peak of memory of each invocation', async () => {
    const instance = await used.runtime.start(
      specFor(`Deno.serve((req) => {
        if (req.url.endsWith('/big')) new Uint8Array(64 * 1024 * 1024).fill(1);
        return new Response(); });`),
    );
    const small = instance.startMeter();
    await call(instance);
    const smallPeak = small().peakMemoryBytes!;
    const big = instance.startMeter();
    await call(instance, '/big');
    expect(big().peakMemoryBytes! - smallPeak).toBeGreaterThan(50 * 1024 * 1024);
  });

  it('knows while work given to EdgeRuntime.waitUntil is pending', async () => {
    const instance = await used.runtime.start(
      specFor(`let finish; Deno.serve((req) => {
        if (req.url.endsWith('/finish')) finish();
        else EdgeRuntime.waitUntil(new Promise((resolve) => { finish = resolve; }));
        return new Response(); });`),
    );
    await call(instance, '/begin');
    await eventually(() => instance.hasBackgroundWork);
    await call(instance, '/finish');
    await eventually(() => !instance.hasBackgroundWork);
  });
});

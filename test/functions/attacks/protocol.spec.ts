import { describe, expect, it } from '@jest/globals';
import type { Readable } from 'node:stream';
import { newId } from '#libs/platform';
import type { FunctionInstance } from '../../../libs/functions/src/runtime/function-runtime.js';
import { arrangements, useHostileRuntime } from '../hostile-support.js';
import { call } from '../runtime-support.js';

const ask = (instance: FunctionInstance) =>
  instance.invoke({
    invocationId: newId(),
    method: 'GET',
    path: '/',
    headers: { host: 'a' },
    body: null,
    cancellation: null,
  });

describe.each(arrangements)('what a function tells the server, in the arrangement "%s"', (arrangement) => {
  const used = useHostileRuntime(arrangement);

  // 33: the loader answers the first request, and the function shares its realm.
  it.each([
    [
      'an answer without end',
      `new Original(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1e6)) }))`,
    ],
    ['another socket', `new Original('/run/docker.sock')`],
    ['the answer of one that serves by node:http', `new Original('node')`],
  ])('of its start is not replaced by %s', async (_what, forged) => {
    const instance = await used.start(
      `const Original = globalThis.Response;
       globalThis.Response = class { constructor() { return ${forged}; } };
       Deno.serve(() => new Original('served'));`,
    );
    expect((await call(instance)).text).toBe('served');
    instance.kill('removed');
  });

  // 33: standard input tells of invocations by their ids alone, standard output is believed of those that run.
  it('by notices of others cannot end or begin work of theirs', async () => {
    const instance = await used.start(`Deno.serve(async (request) => {
      for (const id of [request.headers.get('x-galley-invocation-id'), 'other', '../../x', ''])
        await Deno.stdout.write(new TextEncoder().encode('\\x1e.' + id + '\\x1f\\x1e-\\x1f\\x1e!\\x1f\\x1eZ\\x1f'));
      return new Response('answered');
    });`);
    expect((await call(instance)).text).toBe('answered');
    expect(instance.stopping).toBe(false);
    expect(instance.hasBackgroundWork).toBe(false);
    expect((await call(instance)).text).toBe('answered');
    instance.kill('removed');
  });

  // 34
  it('of its use is not asked: it is measured, whatever the function replaced', async () => {
    const instance = await used.start(`
      performance.now = () => 0; Date.now = () => 0; Deno.memoryUsage = () => ({}); process.cpuUsage = () => ({});
      Object.defineProperty(Deno, 'stdout', { value: { write() {} } });
      Deno.serve(() => { for (let n = 0; n < 1e8; n += 1); return new Response('done'); });`);
    const usage = instance.startMeter();
    expect((await call(instance)).text).toBe('done');
    instance.kill('removed');
    await instance.exited;
    expect(usage().cpuMs).toBeGreaterThan(10);
  });

  // 37
  it('in an answer without end waits until somebody reads it', async () => {
    const instance = await used.start(`let sent = 0;
      Deno.serve((request) => new URL(request.url).pathname === '/sent'
        ? new Response(String(sent))
        : new Response(new ReadableStream({ pull(controller) { sent += 1; controller.enqueue(new Uint8Array(1e6)); } })));`);
    const { body } = await ask(instance);
    const sent = async () => Number((await call(instance, '/sent')).text);
    let last = -1;
    for (let now = await sent(); now !== last; now = await sent()) last = now;
    expect(last).toBeLessThan(64);
    (body as Readable).destroy();
    instance.kill('removed');
  });

  // 37
  it.each([
    ['very many headers', `Array.from({ length: 2_000 }, (_, n) => ['x-' + n, 'y'.repeat(40)])`],
    ['a very long header', `[['x', 'y'.repeat(1e6)]]`],
  ])('in an answer with %s is refused', async (_what, headers) => {
    const instance = await used.start(`Deno.serve(() => new Response('x', { headers: ${headers} }));`);
    await expect(call(instance)).rejects.toMatchObject({ code: 'WORKER_ERROR', status: 500 });
    instance.kill('removed');
  });

  // 48
  it.each([
    ['a line end in a header', `new Response('x', { headers: { a: 'b\\r\\nset-cookie: c=d' } })`],
    ['a zero byte in a header', `new Response('x', { headers: { a: 'b\\0' } })`],
    ['a name that is none', `new Response('x', { headers: { 'a b': 'c' } })`],
  ])('with %s is an error of its own', async (_what, response) => {
    const instance = await used.start(`Deno.serve(() => ${response});`);
    const { status, headers } = await call(instance);
    expect([status, headers['set-cookie']]).toEqual([500, undefined]);
    instance.kill('removed');
  });
});

describe.each(arrangements.filter((arrangement) => arrangement === 'jail'))(
  'a function in a %s that puts a server of its own at its socket',
  (arrangement) => {
    const used = useHostileRuntime(arrangement);
    const ok = 'HTTP/1.1 200 OK\\r\\ncontent-length: 5\\r\\n\\r\\nhello';

    /** One that answers every connection with these bytes, as the value of an expression. */
    async function raw(bytes: string, ending = ''): Promise<FunctionInstance> {
      let onReplaced: (() => void) | undefined;
      const replaced = new Promise<void>((resolve) => (onReplaced = resolve));
      const code = `
        const path = '/i/run/s.sock';
        const server = Deno.serve(() => {
          setTimeout(replace);
          return new Response('ready');
        });
        async function replace() {
          await server.shutdown();
          await Deno.remove(path).catch(() => {});
          const listener = Deno.listen({ transport: 'unix', path });
          console.log('replaced');
          for await (const connection of listener) {
            (async () => {
              await connection.read(new Uint8Array(65_536));
              for (const part of ${bytes}) await connection.write(new TextEncoder().encode(part));
              ${ending}
            })().catch(() => {});
          }
        }`;
      const instance = await used.start(code, {
        onLog: ({ message }) => message === 'replaced' && onReplaced!(),
      });
      expect((await call(instance)).text).toBe('ready');
      // From now on every call needs a connection to the other server.
      await replaced;
      await new Promise(setImmediate);
      return instance;
    }

    // 33, 48
    it('answers one request at a time: what it sends unasked is nobody else’s answer', async () => {
      const instance = await raw(`['${ok}' + 'HTTP/1.1 200 OK\\r\\ncontent-length: 6\\r\\n\\r\\nforged']`);
      const texts: string[] = [];
      for (let n = 0; n < 5; n += 1) {
        const text = await call(instance).then(
          (answer) => answer.text,
          (error: { code: string }) => error.code,
        );
        texts.push(text);
      }
      expect(texts).toContain('hello');
      expect(texts.filter((text) => text !== 'hello' && text !== 'WORKER_ERROR')).toEqual([]);
      instance.kill('removed');
    });

    // 48
    it.each([
      ['nothing', `[]`, `connection.close();`],
      ['no HTTP', `['hello\\r\\n\\r\\n']`, ''],
      ['another protocol', `['SSH-2.0-OpenSSH\\r\\n']`, ''],
      [
        'two lengths',
        `['HTTP/1.1 200 OK\\r\\ncontent-length: 5\\r\\ncontent-length: 6\\r\\n\\r\\nhello!']`,
        '',
      ],
      [
        'a length and chunks',
        `['HTTP/1.1 200 OK\\r\\ncontent-length: 5\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n']`,
        '',
      ],
      ['a length that is none', `['HTTP/1.1 200 OK\\r\\ncontent-length: -1\\r\\n\\r\\n']`, ''],
      ['a header with a lone line feed', `['HTTP/1.1 200 OK\\r\\na: b\\nc\\r\\n\\r\\n']`, ''],
      [
        'less than it announced',
        `['HTTP/1.1 200 OK\\r\\ncontent-length: 50\\r\\n\\r\\nhello']`,
        `connection.close();`,
      ],
      [
        'chunks that are cut',
        `['HTTP/1.1 200 OK\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n5\\r\\nhel']`,
        `connection.close();`,
      ],
      [
        'a chunk of a size that is none',
        `['HTTP/1.1 200 OK\\r\\ntransfer-encoding: chunked\\r\\n\\r\\nzz\\r\\nhello\\r\\n']`,
        '',
      ],
      [
        'headers without end',
        `(function* () { yield 'HTTP/1.1 200 OK\\r\\n'; for (;;) yield 'a: ' + 'b'.repeat(1000) + '\\r\\n'; })()`,
        '',
      ],
      [
        '100 Continue without end',
        `(function* () { for (;;) yield 'HTTP/1.1 100 Continue\\r\\n\\r\\n'; })()`,
        '',
      ],
      [
        'early hints without end',
        `(function* () { for (;;) yield 'HTTP/1.1 103 Early Hints\\r\\n\\r\\n'; })()`,
        '',
      ],
    ])('and answers %s fails that call and no other', async (_what, bytes, ending) => {
      const instance = await raw(bytes, ending);
      const outcome = await call(instance).catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(Error);
      expect(String((outcome as Error).cause)).not.toMatch(/ENOENT|ECONNREFUSED/);
      instance.kill('removed');
      await instance.exited;
      expect(await used.inside(`'the next'`)).toBe('the next');
    });

    // 37
    it.each([
      ['statuses that are none', `['HTTP/1.1 99 No\\r\\ncontent-length: 0\\r\\n\\r\\n']`],
      ['a status above all', `['HTTP/1.1 600 No\\r\\ncontent-length: 0\\r\\n\\r\\n']`],
      ['a status of four digits', `['HTTP/1.1 2000 OK\\r\\ncontent-length: 0\\r\\n\\r\\n']`],
    ])('and answers with %s fails that call', async (_what, bytes) => {
      const instance = await raw(bytes);
      await expect(call(instance)).rejects.toMatchObject({
        code: expect.stringMatching(/^(INVALID_RESPONSE_STATUS_CODE|WORKER_ERROR)$/),
      });
      instance.kill('removed');
    });

    it('is read by nobody once it is gone', async () => {
      const instance = await raw(`['HTTP/1.1 200 OK\\r\\ncontent-length: 50\\r\\n\\r\\nhello']`);
      const { body } = await ask(instance);
      const ended = new Promise((resolve) => (body as Readable).once('error', resolve).resume());
      instance.kill('removed');
      expect(await ended).toBeInstanceOf(Error);
    });
  },
);

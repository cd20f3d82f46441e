import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '#libs/platform';
import { eventually } from '../support/eventually.js';
import { listedLines, writtenLines, type LogLine } from './log-support.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer();
});
afterAll(() => server.close());

const idOf = (response: Response) => response.headers.get('x-galley-invocation-id')!;
const list = (path: string) => listedLines(server, path);
const messages = (lines: readonly LogLine[]) => lines.map(({ message }) => message);

describe('a log line', () => {
  it('has its invocation, level, deployment and time', async () => {
    await server.deploy(
      'chatty',
      `Deno.serve(async (request) => {
        const text = await request.text();
        console.log('got', text);
        console.error('bad', text);
        return new Response();
      });`,
    );
    const before = Date.now();
    const one = await server.call('chatty', { method: 'POST', body: 'one' });
    await writtenLines(server, 'chatty', 2);
    await server.call('chatty', { method: 'POST', body: 'two' });
    const lines = await writtenLines(server, 'chatty', 4);
    const [first] = lines.filter(({ message }) => message === 'got one');
    expect(first).toMatchObject({
      function: 'chatty',
      deployment: 1,
      level: 'info',
      invocation_id: idOf(one),
    });
    expect(Date.parse(first!.at)).toBeGreaterThanOrEqual(before);
    expect(messages(lines).toSorted()).toEqual(['bad one', 'bad two', 'got one', 'got two']);
  });

  it('has its own invocation of several that run at once, also after an await, an answer and a timer', async () => {
    await server.deploy(
      'shared',
      `let arrived = 0; const all = Promise.withResolvers<void>();
      Deno.serve(async (request) => {
        const name = new URL(request.url).searchParams.get('name');
        console.log(name, 'arrives');
        if (++arrived === 3) all.resolve();
        await all.promise;
        console.log(name, 'goes on');
        EdgeRuntime.waitUntil((async () => {
          await new Promise((r) => setTimeout(r, 50));
          console.log(name, 'in the background');
          throw new Error(name + ' fails in the background');
        })());
        setTimeout(() => console.warn(name, 'in a timer'), 80);
        if (name === 'c') throw new Error(name + ' fails');
        return new Response();
      });`,
      { concurrency: 3, max_instances: 1 },
    );
    const names = ['a', 'b', 'c'];
    const ids = await Promise.all(names.map(async (name) => idOf(await server.call(`shared?name=${name}`))));
    const lines = await writtenLines(server, 'shared', 16);
    for (const [index, name] of names.entries()) {
      const own = messages(lines.filter(({ invocation_id: id }) => id === ids[index]));
      expect(own.map((message) => message.split('\n')[0]).toSorted()).toEqual(
        [
          `${name} arrives`,
          `${name} goes on`,
          `${name} in the background`,
          `${name} in a timer`,
          `Error: ${name} fails in the background`,
          ...(name === 'c' ? ['Error: c fails'] : []),
        ].toSorted(),
      );
    }
  });

  it('has no invocation that its function made up', async () => {
    const foreign = newId();
    await server.deploy(
      'forger',
      `Deno.serve(() => {
        const write = (text) => Deno.stdout.writeSync(new TextEncoder().encode(text));
        write('\\x1eI${foreign}\\x1dforged\\x1f\\n');
        write('\\x1eIx\\x1fplain\\x1e\\x1f\\x1f\\x1d\\n');
        return new Response();
      });`,
    );
    const called = await server.call('forger');
    const lines = await writtenLines(server, 'forger', 3);
    expect(lines.find(({ message }) => message === 'forged')).toMatchObject({ invocation_id: null });
    expect(lines.find(({ message }) => message === 'x')).toMatchObject({ invocation_id: idOf(called) });
  });

  it('holds no more than a line may, and nothing that a terminal would act on', async () => {
    await server.deploy(
      'hostile',
      `Deno.serve(() => {
        console.log('\\x1b[2J\\x00\\x9b31m\\u2028 main.js:2:1');
        console.log('x'.repeat(7_000_000));
        console.log('main.js:2:1 '.repeat(2_000));
        return new Response();
      });`,
    );
    await server.call('hostile');
    const [escaped, long, places] = await writtenLines(server, 'hostile', 3);
    expect(escaped!.message).toMatch(/^\\u001b\[2J\\u0000\\u009b31m\\u2028 index\.ts:\d+:\d+$/);
    expect(long!.message).toHaveLength(10_001);
    expect(places!.message.match(/index\.ts/g)!.length).toBe(100);
  });

  it('that is one of very many is dropped, which costs the writer, and others are served meanwhile', async () => {
    await server.deploy('calm', 'Deno.serve(() => new Response("calm"));');
    await server.call('calm');
    await server.deploy(
      'flooding',
      `Deno.serve(() => {
        const chunk = new TextEncoder().encode(('y'.repeat(99) + '\\n').repeat(10_000));
        for (let n = 0; n < 1000; n += 1) Deno.stdout.writeSync(chunk);
        return new Response();
      });`,
      { timeout_ms: 2000 },
    );
    const flooding = server.call('flooding');
    await eventually(async () => (await list('flooding/logs')).length >= 100);
    const began = performance.now();
    expect(await (await server.call('calm')).text()).toBe('calm');
    expect(performance.now() - began).toBeLessThan(1000);
    expect((await flooding).status).toBe(504);
    const lines = await eventually(async () => {
      const all = await list('flooding/logs?limit=1000');
      return all.some(({ message }) => message.startsWith('shutdown')) && all;
    });
    expect(lines.length).toBeLessThan(110);
    expect(messages(lines)).toContain('shutdown: it ran longer than its time limit');
  });
});

describe('the platform tells in the log', () => {
  /** Of the function's instances. */
  const told = (slug: string) =>
    eventually(async () => {
      const all = (await list(`${slug}/logs`)).filter(({ source }) => source === 'platform');
      const lines = all.filter(({ invocation_id: invocationId }) => invocationId === null);
      return lines.some(({ message }) => !message.startsWith('booted')) && lines;
    });

  it('that an instance has started, and why it ended', async () => {
    await server.deploy('ends', 'Deno.serve(() => Deno.exit(3));');
    await server.call('ends');
    const [end, start] = await told('ends');
    expect(start).toMatchObject({
      level: 'info',
      message: expect.stringMatching(/^booted \(time: \d+ms\)$/),
    });
    expect(end).toMatchObject({
      level: 'error',
      message: 'shutdown: its process ended (code 3)',
      invocation_id: null,
    });
  });

  it('that a function used too much memory', async () => {
    await server.deploy(
      'greedy',
      `Deno.serve(() => { const all = []; for (;;) all.push(new Uint8Array(1e6).fill(1)); });`,
      { memory_mb: 64 },
    );
    await server.call('greedy');
    const [end] = await told('greedy');
    expect(end).toMatchObject({ level: 'error', message: 'shutdown: it used more memory than its limit' });
  });

  it('that a function used too much processor time', async () => {
    await server.deploy('busy', 'Deno.serve(() => { for (;;); });', { cpu_ms: 200, timeout_ms: 10_000 });
    expect((await server.call('busy')).status).toBe(546);
    const [end] = await told('busy');
    expect(end).toMatchObject({
      level: 'error',
      message: 'shutdown: it used more processor time than its limit',
    });
  });

  it('that one did not start', async () => {
    await server.deploy('unborn', `throw new Error('no');`);
    const id = idOf(await server.call('unborn'));
    const [line] = await told('unborn');
    const message = 'The function did not start: its process ended with code 1.';
    expect(line).toMatchObject({ level: 'error', message });
    expect(await list(`unborn/logs?invocation_id=${id}`)).toMatchObject([
      { source: 'platform', level: 'error', message: `failed: BOOT_ERROR: ${message}` },
    ]);
  });

  it('of a call that it ended, under its id, and not of answers of the function or clients that left', async () => {
    await server.deploy(
      'varied',
      `Deno.serve(async (request) => {
        if (request.headers.has('x-fail')) return new Response('mine', { status: 500 });
        console.log('begun');
        await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
        return new Response();
      });`,
      { timeout_ms: 800 },
    );
    const client = new AbortController();
    const left = server.call('varied', { signal: client.signal });
    await writtenLines(server, 'varied', 1);
    client.abort();
    await expect(left).rejects.toThrow('aborted');
    expect((await server.call('varied', { headers: { 'x-fail': '1' } })).status).toBe(500);
    const id = idOf(await server.call('varied'));
    const about = await eventually(async () => {
      const lines = await list('varied/logs?text=failed');
      return lines.length > 0 && lines;
    });
    expect(about).toMatchObject([
      { invocation_id: id, message: expect.stringMatching(/^failed: IDLE_TIMEOUT: /) },
    ]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FunctionsHttpModule } from '#libs/functions';
import { createLogger, Platform } from '#libs/platform';
import { insertLines } from '../../libs/functions/src/logs/log-lines.sql.js';
import { limits } from '../../libs/functions/src/limits.js';
import { HealthModule } from '../../apps/server/src/features.js';
import { startServer } from '../../apps/server/src/server.js';
import { eventually } from '../support/eventually.js';
import { spawnProgram } from '../support/galley-process.js';
import { freePort } from '../support/server.js';
import { openTail, type TailReader } from './log-support.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

let server: FunctionsServer;
const opened: TailReader[] = [];
beforeAll(async () => {
  // The command asks at /health whether a server is there.
  server = await startFunctionsServer([HealthModule]);
  const echo = `Deno.serve(async (request) => {
    const { level, messages } = await request.json();
    for (const message of messages) console[level](message);
    return new Response();
  });`;
  await server.deploy('echo', echo);
  await server.deploy('other', echo);
  await say('echo', 'log', 'warm');
  await say('other', 'log', 'warm');
});
afterAll(async () => {
  for (const tail of opened) tail.close();
  await server.close();
});

const say = (slug: string, level: string, ...messages: string[]) =>
  server.call(slug, { method: 'POST', body: JSON.stringify({ level, messages }) });
const tailOf = async (
  path: string,
  lastEventId?: string,
  of: Pick<FunctionsServer, 'url' | 'keys'> = server,
) => {
  const tail = await openTail(of, path, lastEventId);
  opened.push(tail);
  return tail;
};
const told = (tail: TailReader) => tail.events.map(({ data }) => data.message);
const hears = (tail: TailReader, message: string) =>
  eventually(() => told(tail).includes(message), { what: `hearing ${message}` });

/** Writes lines past all instances, as another process does. */
async function write(count: number, text: string): Promise<void> {
  await server.platform.database.query(
    `insert into function_logs (id, project_ref, function_slug, deployment_id, level, message, at)
     select gen_random_uuid(), 'local', 'echo', f.active_deployment_id, 'info', $2 || n, now()
     from generate_series(1, $1) n, functions f where f.slug = 'echo' order by n`,
    [count, text],
  );
}
const listeners = async () => {
  const { rows } = await server.platform.database.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity where query = 'listen "galley_function_logs"'`,
  );
  return rows[0]!.count;
};

describe('a live tail', () => {
  it('tells of lines soon after they were written', async () => {
    const tail = await tailOf('echo/logs/tail');
    expect(tail.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const began = performance.now();
    await say('echo', 'warn', 'soon');
    await hears(tail, 'soon');
    // It was told: by itself a tail looks at nothing before it is time to show that it is alive.
    expect(performance.now() - began).toBeLessThan(limits.eventStreamKeepAliveMs / 2);
    expect(tail.events.at(-1)).toMatchObject({
      type: 'message',
      data: { function: 'echo', level: 'warn', source: 'function', deployment: 1 },
    });
    tail.close();
  });

  it('tells only of what was asked for', async () => {
    const tails = await Promise.all([
      tailOf('logs/tail'),
      tailOf('other/logs/tail'),
      tailOf('logs/tail?min_level=warn'),
      tailOf('echo/logs/tail?text=GOOD'),
    ]);
    await say('echo', 'log', 'a good one');
    await say('echo', 'error', 'a bad one');
    await say('other', 'log', 'from another');
    await say('other', 'error', 'the last');
    await Promise.all([
      hears(tails[0]!, 'the last'),
      hears(tails[1]!, 'the last'),
      hears(tails[2]!, 'the last'),
    ]);
    await hears(tails[3]!, 'a good one');
    expect(tails.map((tail) => told(tail).toSorted())).toEqual([
      ['a bad one', 'a good one', 'from another', 'the last'],
      ['from another', 'the last'],
      ['a bad one', 'the last'],
      ['a good one'],
    ]);
    for (const tail of tails) tail.close();
  });

  it('can begin with the newest lines that there are', async () => {
    await say('echo', 'log', 'n1', 'n2', 'n3');
    await eventually(
      async () => (await server.manage('GET', '/functions/echo/logs?text=n3')).body.length > 0,
    );
    const tail = await tailOf('echo/logs/tail?limit=2');
    await say('echo', 'log', 'n4');
    await hears(tail, 'n4');
    expect(told(tail)).toEqual(['n2', 'n3', 'n4']);
    tail.close();
  });

  it('goes on where it broke off, through another server too, without loss or double', async () => {
    const port = await freePort();
    const platform = await Platform.open(
      { ...server.platform.config, port, apiUrl: `http://127.0.0.1:${port}` },
      createLogger({ level: 'error', name: 'second' }),
    );
    const second = await startServer(platform, [FunctionsHttpModule]);
    const elsewhere = { url: platform.config.apiUrl, keys: server.keys };
    try {
      const tail = await tailOf('echo/logs/tail');
      const wanted: string[] = [];
      let lastId: string | undefined;
      const heard: string[] = [];
      for (let round = 0; round < 6; round += 1) {
        const reader = await tailOf(
          'echo/logs/tail',
          lastId ?? tail.lastId(),
          round % 2 ? elsewhere : server,
        );
        const messages = Array.from({ length: 10 }, (_, n) => `round ${round} line ${n}`);
        const saying = say('echo', 'log', ...messages);
        wanted.push(...messages);
        await hears(reader, messages[round]!);
        lastId = reader.lastId();
        reader.close();
        heard.push(...told(reader));
        await saying;
      }
      const last = await tailOf('echo/logs/tail', lastId, elsewhere);
      await eventually(() => heard.length + last.events.length >= wanted.length);
      expect([...heard, ...told(last)]).toEqual(wanted);
      await hears(tail, wanted.at(-1)!);
      expect(told(tail)).toEqual(wanted);
      last.close();
      tail.close();
    } finally {
      await second.close();
      await platform.close();
    }
  });

  it('loses nothing of writers that write at the same time', async () => {
    const tail = await tailOf('echo/logs/tail');
    const { rows } = await server.platform.database.query<{ id: string }>(
      `select active_deployment_id as id from functions where slug = 'echo'`,
    );
    const writeBatches = async (writer: number) => {
      for (let batch = 0; batch < 20; batch += 1) {
        const lines = Array.from({ length: 5 }, (_, n) => ({
          id: crypto.randomUUID(),
          projectRef: 'local',
          functionSlug: 'echo',
          deploymentId: rows[0]!.id,
          invocationId: null,
          source: 'function' as const,
          level: 'info' as const,
          message: `writer ${writer} ${batch * 5 + n}`,
          at: new Date(),
        }));
        await insertLines(server.platform.database, lines);
      }
    };
    await Promise.all([0, 1, 2, 3, 4].map(writeBatches));
    await eventually(() => tail.events.length >= 500);
    for (const writer of [0, 1, 2, 3, 4]) {
      expect(told(tail).filter((message) => message.startsWith(`writer ${writer} `))).toEqual(
        Array.from({ length: 100 }, (_, n) => `writer ${writer} ${n}`),
      );
    }
    tail.close();
  });

  it('tells a reader that is far behind how much it leaves out', async () => {
    const tail = await tailOf('echo/logs/tail');
    const from = await eventually(() => tail.lastId() || undefined);
    tail.close();
    await write(limits.tailLagLines + 500, 'much ');
    const late = await tailOf('echo/logs/tail', from);
    await hears(late, `much ${limits.tailLagLines + 500}`);
    expect(late.events[0]).toMatchObject({
      type: 'skipped',
      data: { lines: limits.tailLagLines + 500 - limits.tailPageLines },
    });
    expect(late.events).toHaveLength(1 + limits.tailPageLines);
    late.close();
  });

  it('holds little for a reader that does not read', async () => {
    const tail = await fetch(`${server.url}/v1/projects/local/functions/echo/logs/tail`, {
      headers: { authorization: `Bearer ${server.keys.secretKey}` },
    });
    await write(9_000, 'z'.repeat(9_000));
    await server.platform.database.query(`select pg_notify('galley_function_logs', '')`);
    const began = process.memoryUsage().rss;
    await say('echo', 'log', 'after the flood');
    await eventually(
      async () => (await server.manage('GET', '/functions/echo/logs?text=after the')).body.length > 0,
    );
    expect(process.memoryUsage().rss - began).toBeLessThan(60_000_000);
    await tail.body!.cancel();
  });

  it('is one of so many, and nothing listens when there is none', async () => {
    for (const tail of opened) tail.close();
    await eventually(async () => (await listeners()) === 0, { what: 'nobody listening' });
    const tails = await Promise.all(Array.from({ length: limits.logTails }, () => tailOf('echo/logs/tail')));
    expect(await listeners()).toBe(1);
    const refused = await tailOf('echo/logs/tail');
    expect([refused.response.status, await refused.response.json()]).toMatchObject([
      429,
      { code: 'too_many_tails' },
    ]);
    for (const tail of tails) tail.close();
    await eventually(async () => (await listeners()) === 0, { what: 'nobody listening' });
    const head = await fetch(`${server.url}/v1/projects/local/functions/echo/logs/tail`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${server.keys.secretKey}` },
    });
    expect(head.status).toBe(200);
    expect(await listeners()).toBe(0);
  });

  it('refuses a place that is none, and what a tail has not', async () => {
    const wrong = await tailOf('echo/logs/tail', 'x');
    expect([wrong.response.status, await wrong.response.json()]).toMatchObject([
      400,
      { code: 'invalid_request' },
    ]);
    const { status } = await server.manage('GET', '/functions/echo/logs/tail?until=2026-01-01T00:00:00Z');
    expect(status).toBe(400);
  });

  it('ends when the server stops', async () => {
    // Long enough that nothing is cut off.
    const stopping = await startFunctionsServer([], { GALLEY_SHUTDOWN_GRACE_MS: '60000' });
    const tail = await openTail(stopping, 'logs/tail');
    await eventually(() => tail.lastId() !== '');
    const began = performance.now();
    await stopping.close();
    expect(await tail.ended).toBe('whole');
    expect(performance.now() - began).toBeLessThan(30_000);
  });
});

describe('galley functions logs', () => {
  const run = (...args: string[]) => {
    const { url, keys } = server;
    const environment = {
      SUPABASE_URL: url,
      SUPABASE_PUBLISHABLE_KEY: keys.publishableKey,
      SUPABASE_SECRET_KEY: keys.secretKey,
    };
    return spawnProgram({ program: 'cli', args: ['functions', 'logs', ...args], environment, port: 1 });
  };

  it('prints what a function wrote, the newest last', async () => {
    await say('echo', 'log', 'first for the terminal', 'then\ntwo lines for the terminal');
    await say('echo', 'warn', 'warned in the terminal');
    await eventually(
      async () => (await server.manage('GET', '/functions/echo/logs?text=warned in the')).body.length > 0,
    );
    const all = run('echo', '--text', 'THE TERMINAL');
    expect(await all.ended).toBe(0);
    const printed = all.output().replaceAll(/^\S+Z /gm, '');
    expect(printed.replaceAll(/^(\w+ +echo) [0-9a-f]{12}:/gm, '$1:')).toBe(
      'info  echo: first for the terminal\ninfo  echo: then\n    two lines for the terminal\n' +
        'warn  echo: warned in the terminal\n',
    );
    const [, invocation] = /^warn +echo ([0-9a-f]{12}):/m.exec(printed)!;
    const one = run('echo', '--invocation', invocation!);
    expect(await one.ended).toBe(0);
    expect(one.output()).toMatch(/^\S+Z warn {2}echo [0-9a-f]{12}: warned in the terminal\n$/);
    const warned = run('--level', 'warn', '--limit', '1', '--text', 'terminal');
    expect(await warned.ended).toBe(0);
    expect(warned.output()).toMatch(/^\S+Z warn {2}echo [0-9a-f]{12}: warned in the terminal\n$/);
  });

  it('follows it', async () => {
    const follow = run('echo', '-f', '--level', 'error');
    try {
      await eventually(async () => (await listeners()) === 1);
      await say('echo', 'error', 'seen at once');
      await eventually(() => / error echo [0-9a-f]{12}: seen at once\n/.test(follow.output()));
    } finally {
      await follow.end('SIGINT');
    }
  });

  it.each([
    [['nobody'], 'There is no function nobody'],
    [['nobody', '--follow'], 'There is no function nobody'],
    [['echo', '--level', 'loud'], '--level: expected debug, info, warn, error'],
    [['echo', '--loud'], '--loud'],
    [['echo', 'other'], 'Usage'],
  ])('%j fails in one clear line', async (args, message) => {
    const failing = run(...args);
    expect(await failing.ended).toBe(1);
    expect(failing.output()).toContain(message);
    expect(failing.output()).not.toContain('    at ');
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sweepLogs } from '#libs/functions';
import { newId } from '#libs/platform';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';
import { listedLines, writtenLines, type LogLine } from './log-support.js';

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer();
});
afterAll(() => server.close());

const list = (path: string) => listedLines(server, path);
const messages = (lines: readonly LogLine[]) => lines.map(({ message }) => message);

describe('a listing of lines', () => {
  beforeAll(async () => {
    const source = (mark: string) => `Deno.serve(async (request) => {
      const { level, message } = await request.json();
      console[level](message, '${mark}');
      return new Response();
    });`;
    const say = (slug: string, level: string, message: string) =>
      server.call(slug, { method: 'POST', body: JSON.stringify({ level, message }) });
    await server.deploy('speaker', source('v1'));
    await server.deploy('other', source('o'));
    await say('speaker', 'debug', 'Größe 100%');
    await say('speaker', 'warn', 'größe_x');
    await say('other', 'error', 'elsewhere');
    await writtenLines(server, 'speaker', 2);
    await server.deploy('speaker', source('v2'));
    for (const level of ['log', 'warn', 'error']) await say('speaker', level, `${level} it`);
    await writtenLines(server, 'speaker', 5);
    await writtenLines(server, 'other', 1);
  });
  const said = async (query: string, slug = 'speaker/') =>
    messages((await list(`${slug}logs?${query}`)).filter(({ source }) => source === 'function'));

  it('is of one function or of all', async () => {
    expect(await said('order=asc')).toEqual([
      'Größe 100% v1',
      'größe_x v1',
      'log it v2',
      'warn it v2',
      'error it v2',
    ]);
    expect(await said('')).toEqual((await said('order=asc')).toReversed());
    expect(await said('text=elsewhere', '')).toEqual(['elsewhere o']);
    expect(new Set((await list('logs?text=%20v1&limit=1000')).map((line) => line.function))).toEqual(
      new Set(['speaker']),
    );
  });

  it('is filtered by level, deployment, invocation and text', async () => {
    expect(await said('level=debug,error&order=asc')).toEqual(['Größe 100% v1', 'error it v2']);
    expect(await said('min_level=warn&order=asc')).toEqual(['größe_x v1', 'warn it v2', 'error it v2']);
    expect(await said('deployment=1')).toEqual(['größe_x v1', 'Größe 100% v1']);
    expect(await said(`text=${encodeURIComponent('GRÖSSE'.replace('SS', 'ß'))}`)).toHaveLength(2);
    expect(await said(`text=${encodeURIComponent('0%')}`)).toEqual(['Größe 100% v1']);
    expect(await said('text=e_x')).toEqual(['größe_x v1']);
    expect(await said('text=_')).toEqual(['größe_x v1']);
    const [line] = await list('speaker/logs?level=error');
    expect(await said(`invocation_id=${line!.invocation_id}`)).toEqual(['error it v2']);
    expect(await said(`invocation_id=${line!.invocation_id!.slice(-12)}`)).toEqual(['error it v2']);
    expect(await said(`invocation_id=${newId()}`)).toEqual([]);
    expect(await said(`invocation_id=${newId().slice(-12)}`)).toEqual([]);
  });

  it('is bounded in time', async () => {
    const [first, second] = await writtenLines(server, 'speaker', 5);
    expect(await said(`since=${second!.at}&order=asc`)).not.toContain(first!.message);
    expect(await said(`until=${second!.at}`)).toEqual([first!.message]);
  });

  it.each(['asc', 'desc'])('goes on page by page, %s, without loss or double', async (order) => {
    const all = await said(`order=${order}&limit=1000`);
    const paged: string[] = [];
    let path: string | undefined = `/functions/speaker/logs?order=${order}&limit=2`;
    for (let pages = 0; path !== undefined && pages < 20; pages += 1) {
      const response: Response = await fetch(`${server.url}/v1/projects/local${path}`, {
        headers: { authorization: `Bearer ${server.keys.secretKey}` },
      });
      const lines = (await response.json()) as LogLine[];
      paged.push(...messages(lines.filter(({ source }) => source === 'function')));
      path = /^<\/v1\/projects\/local(.*)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    }
    expect(paged).toEqual(all);
  });

  it.each([
    ['limit=0', /limit/],
    ['limit=1001', /limit/],
    ['level=loud', /level/],
    ['level=warn&min_level=warn', /exclude/],
    ['invocation_id=x', /invocation_id/],
    ['deployment=0', /deployment/],
    ['since=yesterday', /since/],
    ['cursor=!!', /cursor/],
    ['cursor=MS4yLjM', /cursor/],
    [`text=${'x'.repeat(201)}`, /text/],
    ['text=%00', /text/],
    ['order=up', /order/],
    ['colour=red', /colour/],
  ])('refuses %s', async (query, message) => {
    const { status, body } = await server.manage('GET', `/functions/speaker/logs?${query}`);
    expect([status, body['code']]).toEqual([400, 'invalid_request']);
    expect(body['message']).toMatch(message);
  });

  it('of a function that does not exist is not found, and is for holders of the secret key', async () => {
    for (const path of ['nobody/logs', 'nobody/logs/tail']) {
      expect(await server.manage('GET', `/functions/${path}`)).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      });
    }
    for (const path of ['logs', 'logs/tail', 'speaker/logs', 'speaker/logs/tail']) {
      const response = await fetch(`${server.url}/v1/projects/local/functions/${path}`, {
        headers: { authorization: `Bearer ${server.keys.publishableKey}` },
      });
      expect([path, response.status]).toEqual([path, 403]);
    }
  });
});

describe('log lines are kept', () => {
  const insert = (count: number, ageDays: number, deploymentId: string) =>
    server.platform.database.query(
      `insert into function_logs (id, project_ref, function_slug, deployment_id, level, message, at)
       select gen_random_uuid(), 'local', 'kept', $2, 'info', 'old ' || n, now() - make_interval(days => $3, secs => n)
       from generate_series(1, $1) n`,
      [count, deploymentId, ageDays],
    );
  const keep = (retention: { days: number; lines: number }) =>
    sweepLogs(server.platform.database, 'local', retention);

  it('for so many days, and so many of them', async () => {
    const { id } = await server.deploy('kept', 'Deno.serve(() => new Response());');
    await keep({ days: 7, lines: 1_000_000 });
    await insert(12_000, 8, id as string);
    await insert(50, 1, id as string);
    expect(await keep({ days: 7, lines: 1_000_000 })).toBe(12_000);
    expect(await keep({ days: 7, lines: 20 })).toBeGreaterThanOrEqual(30);
    const left = await list('logs?limit=1000');
    expect(left).toHaveLength(20);
    expect(await keep({ days: 7, lines: 20 })).toBe(0);
  });

  it('as long as their function', async () => {
    const { id } = await server.deploy('kept', 'Deno.serve(() => new Response("again"));');
    await insert(10, 0, id as string);
    expect(await list('kept/logs?text=old')).not.toEqual([]);
    await server.manage('DELETE', '/functions/kept');
    expect((await server.manage('GET', '/functions/kept/logs')).status).toBe(404);
    await server.deploy('kept', 'Deno.serve(() => new Response("anew"));');
    expect(await list('kept/logs')).toEqual([]);
    expect(await list('logs?text=old')).toEqual([]);
    expect(await keep({ days: 7, lines: 1_000_000 })).toBeGreaterThanOrEqual(10);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventsHttpModule } from '#libs/events';
import { quoteLiteral } from '#libs/platform';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';
import { eventually } from '../support/eventually.js';
import { startReceiver, type Receiver } from './receiver.js';

let server: FunctionsServer;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
  server = await startFunctionsServer([WorkerModule, EventsHttpModule]);
}, 60_000);
afterAll(async () => {
  await server.close();
  receiver.close();
});

const sql = (text: string) => server.project.database.query(text);
/** As dumps of Supabase write it. */
const hook = (table: string, ...args: string[]) =>
  sql(`create table if not exists public.${table} (id bigint primary key, title text);
    create or replace trigger "my hook" after insert or update or delete on "public"."${table}"
    for each row execute function "supabase_functions"."http_request"(${args.map(quoteLiteral).join(', ')})`);
const arrived = (path: string, count: number) =>
  eventually(() => receiver.at(path).length >= count && receiver.at(path));
const deliveries = async (target: string) => {
  const { body } = await server.manage('GET', `/deliveries?function=${encodeURIComponent(target)}`);
  return body as unknown as {
    id: string;
    state: string;
    attempts: number;
    last_error: string | null;
    payload: unknown;
  }[];
};
const targetOf = (url: string) => `url.${new URL(url).host.replace(':', '_')}`;
const ended = (target: string, error: string) =>
  eventually(async () => (await deliveries(target)).find(({ last_error: last }) => last?.includes(error)));

const json = '{"Content-Type":"application/json","X-Mine":"yes"}';

describe('a trigger of supabase_functions.http_request', () => {
  it('tells a URL of each change as Supabase does, with the numbers that were stored', async () => {
    await hook('orders', `${receiver.url}/orders`, 'POST', json, '{}', '5000');
    await sql(`insert into public.orders values (9007199254740993, 'a')`);
    await sql(`update public.orders set title = 'b'`);
    await sql('delete from public.orders');
    const requests = (await arrived('/orders', 3)).map(({ body }) => body);
    const bodyOf = (type: string) => requests.find((body) => body.includes(`"${type}"`))!;
    expect(JSON.parse(bodyOf('INSERT'))).toMatchObject({
      type: 'INSERT',
      table: 'orders',
      schema: 'public',
      record: { title: 'a' },
      old_record: null,
    });
    expect(bodyOf('INSERT')).toContain('9007199254740993');
    expect(JSON.parse(bodyOf('UPDATE'))).toMatchObject({
      record: { title: 'b' },
      old_record: { title: 'a' },
    });
    expect(JSON.parse(bodyOf('DELETE'))).toMatchObject({ record: null, old_record: { title: 'b' } });
    expect(receiver.at('/orders')[0]).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-mine': 'yes' },
    });
  });

  it('asks by GET with the parameters alone', async () => {
    await hook('pings', `${receiver.url}/pings?a=1`, 'GET', '{}', '{"b":"two words"}', '1000');
    await sql(`insert into public.pings values (1, 'a')`);
    const [request] = await arrived('/pings?a=1&b=two+words', 1);
    expect(request).toMatchObject({ method: 'GET', body: '' });
    expect(request!.headers).not.toHaveProperty('content-type');
  });

  it('is made once more, as it was, when a replay asks for that', async () => {
    await hook('repeats', `${receiver.url}/repeats`, 'POST', json);
    await sql(`insert into public.repeats values (1, 'a')`);
    await arrived('/repeats', 1);
    const first = await eventually(async () =>
      (await deliveries(targetOf(receiver.url))).find(
        ({ state, payload }) => state === 'succeeded' && (payload as { table: string }).table === 'repeats',
      ),
    );
    const { body } = await server.manage('POST', `/deliveries/${first.id}/replay`);
    const [one, two] = await arrived('/repeats', 2);
    expect(two).toMatchObject({ method: 'POST', body: one!.body, headers: { 'x-mine': 'yes' } });
    const second = await server.manage('GET', `/deliveries/${String(body['id'])}`);
    expect(second.body['last_error']).toBeNull();
  });

  it('keeps its headers sealed, which may hold keys', async () => {
    const headers = '{"Authorization":"Bearer top-secret"}';
    await hook('keyed', `${receiver.url}/keyed`, 'POST', headers);
    await sql(`insert into public.keyed values (1, 'a')`);
    expect((await arrived('/keyed', 1))[0]!.headers['authorization']).toBe('Bearer top-secret');
    const { rows } = await server.platform.database.query<{ kept: string }>(
      'select string_agg(r::text, null) as kept from delivery_requests r',
    );
    expect(rows[0]!.kept).toContain(`${receiver.url}/keyed`);
    expect(rows[0]!.kept).not.toContain('top-secret');
  });

  it('may leave out what Supabase lets it leave out', async () => {
    await hook('briefs', `${receiver.url}/briefs`, 'POST');
    await sql(`insert into public.briefs values (1, 'a')`);
    expect((await arrived('/briefs', 1))[0]!.headers['content-type']).toBe('application/json');
  });

  it('tells nothing of a change that was rolled back', async () => {
    await hook('undone', `${receiver.url}/undone`, 'POST');
    await server.project.database
      .asSystem(async (tx) => {
        await tx.query(`insert into public.undone values (1, 'a')`);
        throw new Error('changed my mind');
      })
      .catch(() => {});
    await sql(`insert into public.undone values (2, 'b')`);
    await arrived('/undone', 1);
    expect(receiver.at('/undone').map(({ body }) => JSON.parse(body).record.id)).toEqual([2]);
  });

  it('tells who changes a row as somebody without rights on the outbox', async () => {
    await hook('visits', `${receiver.url}/visits`, 'POST');
    const { error } = await server.client().from('visits').insert({ id: 1, title: 'by anon' });
    expect(error).toBeNull();
    await arrived('/visits', 1);
    const forged = await server.client().schema('supabase_functions').rpc('http_request');
    expect(forged.error).not.toBeNull();
  });

  it('is made again until it is taken, also when the receiver was gone', async () => {
    let calls = 0;
    receiver.answer = ({ path }, response) => {
      if (path === '/flaky') calls += 1;
      if (calls === 1 && path === '/flaky') response.destroy();
      else response.writeHead(calls === 2 && path === '/flaky' ? 503 : 200, { 'retry-after': '1' }).end();
    };
    await hook('flaky', `${receiver.url}/flaky`, 'POST');
    await sql(`insert into public.flaky values (1, 'a')`);
    const bodies = (await arrived('/flaky', 3)).map(({ body }) => body);
    expect(new Set(bodies).size).toBe(1);
    const { rows } = await eventually(async () => {
      const found = await server.platform.database.query<{ attempts: number }>(
        `select attempts from deliveries where state = 'succeeded' and payload ->> 'table' = 'flaky'`,
      );
      return found.rows.length > 0 && found;
    });
    expect(rows).toEqual([{ attempts: 3 }]);
  });

  it('calls a function of this project itself, with its headers, and lends it no key', async () => {
    await server.deploy(
      'on-change',
      `Deno.serve(async (request) => { console.log(JSON.stringify({
        url: new URL(request.url).pathname + new URL(request.url).search,
        body: await request.json(), headers: Object.fromEntries(request.headers) })); return new Response(); });`,
    );
    const headers = { Authorization: `Bearer ${server.keys.serviceRoleKey}`, 'X-Mine': 'yes' };
    const url = `http://kong:8000/functions/v1/on-change/sub?x=1`;
    await hook('changes', url, 'POST', JSON.stringify(headers), '{}', '1000');
    await sql(`insert into public.changes values (1, 'a')`);
    const seen = await eventually(async () => {
      const { body } = await server.manage('GET', '/functions/on-change/logs?text=sub');
      const [line] = body as unknown as { message: string }[];
      return line && (JSON.parse(line.message) as { headers: Record<string, string> });
    });
    expect(seen).toMatchObject({
      url: '/on-change/sub?x=1',
      body: { type: 'INSERT', record: { id: 1, title: 'a' } },
      headers: { 'x-mine': 'yes', 'x-galley-attempt': '1', 'x-galley-token': expect.any(String) },
    });
    const token = seen.headers['authorization']!.slice('Bearer '.length);
    expect(token).not.toBe(server.keys.serviceRoleKey);
    expect(await server.project.tokens.verify(token)).toMatchObject({ role: 'service_role' });
    const delivery = await eventually(async () => {
      const [last] = await deliveries('on-change');
      return last!.state === 'succeeded' && last;
    });
    // Access tokens read this list: no key may be in it.
    expect(JSON.stringify(delivery)).not.toContain(server.keys.serviceRoleKey);
  });

  it.each([
    'http://169.254.169.254/latest/',
    'http://10.0.0.5/',
    'http://[::ffff:10.0.0.5]/',
    'http://localhost:1/',
  ])('does not reach %s', async (url) => {
    const target = targetOf(url).replace(/[^a-z0-9.-]/g, '_');
    await hook('attacks', url, 'POST');
    await sql(`insert into public.attacks values (${Date.now()}, 'a')`);
    await ended(target, url.includes('localhost') ? 'no_address' : 'address_refused');
  });

  it('becomes a dead letter when it cannot be made at all', async () => {
    await hook('wrong', 'not a URL', 'POST');
    await sql(`insert into public.wrong values (1, 'a')`);
    expect(await ended('url.invalid', 'URL')).toMatchObject({ state: 'dead' });
  });

  it('is refused with the change when its arguments are wrong', async () => {
    const refused = async (...args: string[]) => {
      await hook('mistakes', ...args);
      return sql(`insert into public.mistakes values (1, 'a')`).then(
        () => 'taken',
        (error: Error) => error.message,
      );
    };
    expect(await refused()).toBe('url argument is missing');
    expect(await refused(receiver.url)).toBe('method argument is missing');
    expect(await refused(receiver.url, 'PUT')).toBe('method argument PUT is invalid');
    expect(await refused(receiver.url, 'POST', '[]')).toBe('headers and params must be JSON objects');
  });

  it('sends a row that is too large for an event without its long values', async () => {
    await hook('large', `${receiver.url}/large`, 'POST');
    await sql(`insert into public.large values (1, repeat('x', 600000))`);
    const [request] = await arrived('/large', 1);
    expect(JSON.parse(request!.body)).toMatchObject({ record: { id: 1, title: null }, left_out: ['title'] });
  });

  it('before a change lets it happen', async () => {
    await sql(`create table public.early (id int);
      create trigger early before insert or delete on public.early for each row
      execute function supabase_functions.http_request('${receiver.url}/early', 'POST')`);
    await sql('insert into public.early values (1)');
    expect((await sql('select id from public.early')).rows).toEqual([{ id: 1 }]);
    await sql('delete from public.early');
    expect((await sql('select id from public.early')).rows).toEqual([]);
  });

  it('waits for no slow receiver of another host', async () => {
    receiver.answer = ({ path }, response) => {
      if (path !== '/slow') response.end();
    };
    const other = await startReceiver();
    await hook('slow', `${receiver.url}/slow`, 'POST', '{}', '{}', '20000');
    await hook('quick', `${other.url}/quick`, 'POST');
    await sql(`insert into public.slow select n from generate_series(1, 40) n`);
    await arrived('/slow', 1);
    await sql(`insert into public.quick values (1, 'a')`);
    await eventually(() => other.at('/quick').length === 1, { within: 5_000 });
    other.close();
    receiver.close();
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { WebSocket } from 'undici';
import { FunctionRuntime } from '#libs/functions';
import { UsageLedger } from '#libs/usage';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { eventually } from '../support/eventually.js';
import { rowMeters } from './row-meters.js';
import { startUsageServer, type UsageServer } from './usage-server.js';

let server: UsageServer;
beforeAll(async () => {
  server = await startUsageServer([WorkerModule]);
  await server.project.database.query(
    `create table public.books (id integer primary key);
     create table public.notes (id serial primary key, text text, book integer references public.books);
     insert into public.books values (1);
     grant all on public.notes, public.books to anon; grant usage on sequence notes_id_seq to anon`,
  );
});
afterAll(() => server.close());

/** Runs `work` so many times, some at once. */
async function atOnce<T>(times: number, width: number, work: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const run = async () => {
    for (let i = next++; i < times; i = next++) results[i] = await work(i);
  };
  await Promise.all(Array.from({ length: width }, run));
  return results;
}

describe('the bytes of an invocation', () => {
  it('are those of the bodies that went in and came out, of each of many at once', async () => {
    await server.deploy(
      'echo',
      `Deno.serve(async (request) => {
        const bytes = new Uint8Array(await request.arrayBuffer());
        return new Response(new ReadableStream({ start(c) { c.enqueue(bytes); c.enqueue(bytes); c.close(); } }));
      });`,
      { concurrency: 5, max_instances: 2 },
    );
    const sent = await atOnce(120, 10, async (i) => {
      const body = randomBytes(i === 0 ? 0 : randomInt(1, i % 10 === 0 ? 300_000 : 5_000));
      const response = await server.call('echo', { method: 'POST', body });
      const answer = await response.arrayBuffer();
      return { id: response.headers.get('x-galley-invocation-id')!, in: body.length, out: answer.byteLength };
    });
    const recorded = await eventually(async () => {
      const all = await server.invocations('echo');
      return all.length === sent.length && all;
    });
    const byId = new Map(recorded.map((record) => [record.id, record]));
    for (const call of sent) {
      expect(byId.get(call.id)).toMatchObject({ bytes_in: call.in, bytes_out: call.out });
    }
    expect(sent.reduce((sum, call) => sum + call.out, 0)).toBe(
      2 * sent.reduce((sum, call) => sum + call.in, 0),
    );
  });

  it('are those that the function gave before its client left', async () => {
    await server.deploy(
      'endless',
      `Deno.serve(() => new Response(new ReadableStream({
        async pull(c) { await new Promise((r) => setTimeout(r, 5)); c.enqueue(new Uint8Array(1000)); },
      })));`,
    );
    const abort = new AbortController();
    const response = await server.call('endless', { signal: abort.signal });
    let read = 0;
    for await (const part of response.body!) {
      read += (part as Uint8Array).length;
      if (read >= 5000) break;
    }
    abort.abort();
    const [record] = await eventually(async () => {
      const all = await server.invocations('endless');
      return all.length > 0 && all;
    });
    expect(record!.bytes_out).toBeGreaterThanOrEqual(read);
    expect(record!.bytes_out % 1000).toBe(0);
  });

  it('of a WebSocket are all that passed, also when it is cut off', async () => {
    await server.deploy(
      'socket',
      `Deno.serve((request) => {
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onmessage = ({ data }) => socket.send(data + data);
        return response;
      });`,
    );
    const socket = new WebSocket(
      `${server.url.replace('http', 'ws')}/functions/v1/socket?apikey=${server.keys.publishableKey}`,
    );
    await once(socket, 'open');
    const answered = once(socket, 'message');
    socket.send('x'.repeat(100));
    await answered;
    socket.close();
    const [record] = await eventually(async () => {
      const all = await server.invocations('socket');
      return all.length > 0 && all;
    });
    // A frame of 100 bytes has a head of 2 and a mask of 4 bytes, one of 200 a head of 4 (RFC 6455 §5.2); closing comes on top.
    expect(record!.bytes_in).toBeGreaterThanOrEqual(106);
    expect(record!.bytes_in).toBeLessThan(130);
    expect(record!.bytes_out).toBeGreaterThanOrEqual(204);
    expect(record!.bytes_out).toBeLessThan(230);
  });

  it('to other hosts are those of its function', async () => {
    const peer = createServer((socket) => socket.once('data', () => socket.end('y'.repeat(1234))));
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
    const { port } = peer.address() as AddressInfo;
    await server.deploy(
      'caller',
      `Deno.serve(async () => {
        const connection = await Deno.connect({ hostname: '127.0.0.1', port: ${port} });
        await connection.write(new Uint8Array(321));
        let read = 0;
        for await (const part of connection.readable) read += part.length;
        return new Response(String(read));
      });`,
      { permissions: { hosts: [`127.0.0.1:${port}`] } },
    );
    expect(await (await server.call('caller')).text()).toBe('1234');
    peer.close();
    // Where the host has no namespaces, functions connect by themselves.
    if (server.get(FunctionRuntime).isolation().network !== 'namespace') return;
    const [carried] = await eventually(async () => {
      const rows = await server.rows<{ sent: number; received: number }>(
        `select sum(egress_sent_bytes)::float8 as sent, sum(egress_received_bytes)::float8 as received
         from background_usage where function_slug = 'caller'`,
      );
      return rows[0]!.sent > 0 && rows;
    });
    expect(carried).toEqual({ sent: 321, received: 1234 });
  });
});

describe('what a project uses', () => {
  it('has each row that was read or written, of many requests at once', async () => {
    const before = await rowMeters(server);
    let read = 0;
    let written = 0;
    const supabase = server.client();
    await atOnce(60, 8, async (i) => {
      const rows = Array.from({ length: (i % 7) + 1 }, () => ({ text: `${i}` }));
      const inserted = await supabase.from('notes').insert(rows).select();
      written += inserted.data!.length;
      const { data } = await supabase.from('notes').select().eq('text', `${i}`);
      read += data!.length;
      const changed = await supabase
        .from('notes')
        .update({ text: `${i}!` }, { count: 'exact' })
        .eq('text', `${i}`);
      written += changed.count!;
      if (i % 3 === 0) {
        const gone = await supabase.from('notes').delete({ count: 'exact' }).eq('text', `${i}!`);
        written += gone.count!;
      }
    });
    expect(await rowMeters(server)).toEqual({
      rows_read: before.rows_read + read,
      rows_written: before.rows_written + written,
    });
  });

  it('has rows that were written and that the answer leaves out, and none of what was undone', async () => {
    const before = await rowMeters(server);
    const supabase = server.client();
    const notes = [
      { text: 'child', book: 1 },
      { text: 'orphan', book: null },
    ];
    const { data } = await supabase.from('notes').insert(notes).select('text, books!inner(id)');
    expect(data).toHaveLength(1);
    const { error } = await supabase
      .from('notes')
      .update({ text: 'x' })
      .eq('text', 'nothing')
      .select()
      .single();
    expect(error!.code).toBe('PGRST116');
    const two = await supabase
      .from('notes')
      .update({ text: 'x' })
      .in('text', ['child', 'orphan'])
      .select()
      .single();
    expect(two.error!.code).toBe('PGRST116');
    expect(await rowMeters(server)).toEqual({ ...before, rows_written: before.rows_written + 2 });
  });

  it('has the bytes of clients’ connections, as the clients themselves count them', async () => {
    const bytesOf = async () =>
      (
        await server.rows<{ requests: number; in: number; out: number }>(
          `select sum(count)::float8 as requests, sum(bytes_in)::float8 as in, sum(bytes_out)::float8 as out
           from request_counts where service in ('storage', 'rest')`,
        )
      )[0]!;
    await serviceRole().storage.createBucket('files');
    const before = await bytesOf();
    const sockets = new Set<Socket>();
    const agent = new Agent({ keepAlive: true, maxSockets: 6 });
    agent.createConnection = ((options: { host: string; port: number }) => {
      const socket = connect(Number(options.port), options.host);
      sockets.add(socket);
      return socket;
    }) as never;
    await atOnce(80, 12, async (i) => {
      const name = `/storage/v1/object/files/${i}`;
      if (i % 4 === 0) return ask(agent, 'GET', '/rest/v1/notes?select=*');
      await ask(agent, 'POST', name, randomBytes(randomInt(0, 200_000)));
      return ask(agent, 'GET', name);
    });
    const own = [...sockets];
    const after = await eventually(
      async () => {
        const now = await bytesOf();
        return now.requests - before.requests === 140 && now;
      },
      { what: '140 more requests' },
    );
    // Not before: a client has all of an answer a moment before the server knows that it has sent it.
    agent.destroy();
    expect(own.length).toBeGreaterThan(1);
    expect(after.in - before.in).toBe(own.reduce((sum, socket) => sum + socket.bytesWritten, 0));
    expect(after.out - before.out).toBe(own.reduce((sum, socket) => sum + socket.bytesRead, 0));
  });

  it('has the requests and bytes of who leaves before the end of the answer', async () => {
    const passed = async () =>
      (
        await server.rows<{ requests: number; out: number }>(
          `select coalesce(sum(count), 0)::float8 as requests, coalesce(sum(bytes_out), 0)::float8 as out
           from request_counts where service = 'storage'`,
        )
      )[0]!;
    const start = await passed();
    const admin = serviceRole();
    await admin.storage.createBucket('large');
    await admin.storage.from('large').upload('film', Buffer.alloc(40_000_000));
    const before = await eventually(async () => {
      const now = await passed();
      return now.requests === start.requests + 2 && now;
    });
    const headers = { apikey: server.keys.secretKey, authorization: `Bearer ${server.keys.secretKey}` };
    const asked = request(`${server.url}/storage/v1/object/large/film`, { headers }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    let read = 0;
    for await (const chunk of response) {
      read += (chunk as Buffer).length;
      if (read > 1_000_000) break;
    }
    asked.destroy();
    const after = await eventually(async () => {
      const now = await passed();
      return now.requests > before.requests && now;
    });
    expect(after.requests).toBe(before.requests + 1);
    expect(after.out - before.out).toBeGreaterThanOrEqual(read);
  });

  it('has its events, each once, whether a function wants them or not', async () => {
    const eventsOf = async () =>
      (
        await server.rows<{ events: number }>(
          `select coalesce(sum(amount), 0)::float8 as events from meter_hours where meter = 'events'`,
        )
      )[0]!.events;
    await server.deploy('welcome', `Deno.serve(() => new Response());`, { on: [{ event: 'user.created' }] });
    const before = await eventually(async () => {
      const { rows } = await server.project.database.query('select from galley.outbox');
      return rows.length === 0 && { events: await eventsOf() };
    });
    await atOnce(15, 5, () => signUp());
    const supabase = serviceRole();
    await atOnce(10, 5, (i) => supabase.storage.from('files').upload(`event-${i}`, 'x'));
    // Of each who signs up: the account, and that they are signed in.
    await eventually(async () => (await eventsOf()) === before.events + 40, { what: '40 more events' });
  });

  it('has those who signed in or went on this month, and what it stores', async () => {
    const first = await report();
    const people = await atOnce(5, 5, () => signUp());
    for (const { client } of people) await client.auth.refreshSession();
    const supabase = serviceRole();
    await supabase.storage.from('files').upload('stored', randomBytes(54_321));
    const then = await report();
    expect(then.project.monthly_active_users - first.project.monthly_active_users).toBe(5);
    expect(then.project.auth_users - first.project.auth_users).toBe(5);
    expect(then.project.bytes_stored - first.project.bytes_stored).toBe(54_321);
    await supabase.storage.from('files').remove(['stored']);
    expect((await report()).project.bytes_stored).toBe(first.project.bytes_stored);
  });

  it('loses nothing while the database does not take it', async () => {
    const { database } = server.platform;
    const before = await rowMeters(server);
    await database.query('alter table meter_hours rename to gone');
    const supabase = server.client();
    await supabase.from('notes').insert([{ text: 'a' }, { text: 'b' }]);
    await server.get(UsageLedger).flush();
    await supabase.from('notes').insert([{ text: 'c' }]);
    await server.get(UsageLedger).flush();
    await database.query('alter table gone rename to meter_hours');
    expect(await rowMeters(server)).toEqual({ ...before, rows_written: before.rows_written + 3 });
  });
});

async function report() {
  const { body } = await server.manage('GET', '/usage');
  return body as unknown as {
    project: { monthly_active_users: number; auth_users: number; bytes_stored: number };
  };
}

function serviceRole() {
  return server.client(server.keys.secretKey);
}

async function signUp() {
  const client = server.client();
  const email = `${randomUUID()}@example.com`;
  const { data, error } = await client.auth.signUp({ email, password: 'correct horse battery staple' });
  if (error) throw error;
  return { client, id: data.user!.id };
}

function ask(agent: Agent, method: string, path: string, body?: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { apikey: server.keys.secretKey, authorization: `Bearer ${server.keys.secretKey}` };
    const asked = request(`${server.url}${path}`, { method, agent, headers }, (response) => {
      response.resume().once('end', resolve);
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

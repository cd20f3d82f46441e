import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SupabaseClient } from '@supabase/supabase-js';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

let server: TestServer;
let client: SupabaseClient;

beforeAll(async () => {
  server = await startCinema({
    PGRST_DB_SCHEMAS: 'public,archive',
    PGRST_DB_PLAN_ENABLED: 'true',
    PGRST_DB_TX_END: 'commit-allow-override',
  });
  await server.project.database.query(`
    create schema archive;
    grant usage on schema archive to anon;
    create table archive.reels (id int primary key);
    insert into archive.reels values (7);
    grant select on archive.reels to anon;
    create table public.seats (id int primary key, taken bool, note text, during int4range, words text[]);
    insert into public.seats values
      (1, true, 'aisle', '[1,5)', '{a,b}'), (2, false, 'window', '[5,9)', '{b}'), (3, null, null, '[9,12)', '{}');
    notify pgrst, 'reload schema';`);
  client = server.client();
});
afterAll(() => server.close());

interface Answer {
  data: unknown;
  error: { code?: string; message: string } | null;
  count?: number | null;
  status: number;
}
type Query = PromiseLike<Answer>;

const seats = () => client.from('seats').select('id').order('id');
const ids = (...numbers: number[]) => ({ data: numbers.map((id) => ({ id })) });
const films = () => client.from('films');

/** Each method of the SDK's query builders, with a request that needs it and what must come back. */
const methods: Record<string, [() => Query, Partial<Answer>]> = {
  from: [() => client.from('directors').select('name').eq('id', 1), { data: [{ name: 'Agnès Varda' }] }],
  schema: [() => client.schema('archive').from('reels').select(), { data: [{ id: 7 }] }],
  rpc: [() => client.rpc('add', { a: 2, b: 3 }), { data: 5 }],
  select: [() => client.from('seats').select('id,note').eq('id', 1), { data: [{ id: 1, note: 'aisle' }] }],
  insert: [
    () => client.from('seats').insert({ id: 10, note: 'new' }).select('note'),
    { status: 201, data: [{ note: 'new' }] },
  ],
  upsert: [
    () => client.from('seats').upsert({ id: 10, note: 'newer' }).select('note'),
    { data: [{ note: 'newer' }] },
  ],
  update: [
    () => client.from('seats').update({ note: 'newest' }).eq('id', 10).select('note'),
    { data: [{ note: 'newest' }] },
  ],
  delete: [() => client.from('seats').delete().eq('id', 10).select('id'), ids(10)],
  eq: [() => seats().eq('id', 2), ids(2)],
  neq: [() => seats().neq('id', 2), ids(1, 3)],
  gt: [() => seats().gt('id', 1), ids(2, 3)],
  gte: [() => seats().gte('id', 2), ids(2, 3)],
  lt: [() => seats().lt('id', 3), ids(1, 2)],
  lte: [() => seats().lte('id', 1), ids(1)],
  like: [() => seats().like('note', 'ai%'), ids(1)],
  likeAllOf: [() => seats().likeAllOf('note', ['w%', '%dow']), ids(2)],
  likeAnyOf: [() => seats().likeAnyOf('note', ['a%', 'w%']), ids(1, 2)],
  ilike: [() => seats().ilike('note', 'AI%'), ids(1)],
  ilikeAllOf: [() => seats().ilikeAllOf('note', ['W%', '%DOW']), ids(2)],
  ilikeAnyOf: [() => seats().ilikeAnyOf('note', ['A%', 'W%']), ids(1, 2)],
  regexMatch: [() => seats().regexMatch('note', '^a.*e$'), ids(1)],
  regexIMatch: [() => seats().regexIMatch('note', '^A.*E$'), ids(1)],
  is: [() => seats().is('taken', null), ids(3)],
  isDistinct: [() => seats().isDistinct('taken', true), ids(2, 3)],
  in: [() => seats().in('note', ['aisle', 'a,b']), ids(1)],
  notIn: [() => seats().notIn('id', [1, 2]), ids(3)],
  contains: [() => seats().contains('words', ['a']), ids(1)],
  containedBy: [() => seats().containedBy('words', ['b']), ids(2, 3)],
  rangeGt: [() => seats().rangeGt('during', '[1,5)'), ids(2, 3)],
  rangeGte: [() => seats().rangeGte('during', '[5,9)'), ids(2, 3)],
  rangeLt: [() => seats().rangeLt('during', '[5,9)'), ids(1)],
  rangeLte: [() => seats().rangeLte('during', '[5,9)'), ids(1, 2)],
  rangeAdjacent: [() => seats().rangeAdjacent('during', '[1,5)'), ids(2)],
  overlaps: [() => seats().overlaps('during', '[4,6)'), ids(1, 2)],
  textSearch: [() => seats().textSearch('note', "'window'", { config: 'english' }), ids(2)],
  match: [() => seats().match({ taken: true, note: 'aisle' }), ids(1)],
  not: [() => seats().not('note', 'is', null), ids(1, 2)],
  or: [() => seats().or('id.eq.1,and(id.gt.2,taken.is.null)'), ids(1, 3)],
  filter: [() => seats().filter('id', 'in', '(1,3)'), ids(1, 3)],
  order: [() => client.from('seats').select('id').order('id', { ascending: false }), ids(3, 2, 1)],
  limit: [() => seats().limit(1), ids(1)],
  range: [() => seats().range(1, 2), ids(2, 3)],
  abortSignal: [() => seats().abortSignal(AbortSignal.abort()).limit(1), { data: null, status: 0 }],
  single: [() => seats().eq('id', 1).single(), { data: { id: 1 } }],
  maybeSingle: [() => seats().eq('id', 99).maybeSingle(), { data: null, error: null }],
  csv: [() => seats().limit(2).csv(), { data: 'id\n1\n2' }],
  geojson: [() => seats().geojson() as Query, { status: 404, data: null }],
  explain: [
    () => seats().explain({ format: 'json' }) as Query,
    { data: [expect.objectContaining({ Plan: expect.anything() })] },
  ],
  rollback: [
    () => client.from('seats').insert({ id: 20 }).rollback().select('id') as Query,
    { status: 201, ...ids(20) },
  ],
  returns: [() => seats().eq('id', 1).returns<{ id: number }[]>(), ids(1)],
  overrideTypes: [() => seats().eq('id', 1).overrideTypes<{ id: number }[]>(), ids(1)],
  maxAffected: [
    () => client.from('seats').update({ note: 'x' }).gt('id', 0).maxAffected(1) as unknown as Query,
    { status: 400, error: expect.objectContaining({ code: 'PGRST124' }) as never },
  ],
  stripNulls: [() => client.from('seats').select('id,note').eq('id', 3).stripNulls(), ids(3)],
  setHeader: [() => seats().setHeader('range', '1-2'), ids(2, 3)],
  throwOnError: [() => seats().eq('id', 1).throwOnError(), ids(1)],
  retry: [() => seats().eq('id', 1).retry(false) as Query, ids(1)],
};

/** What is no request of its own but a step inside the SDK. */
const inner = ['fetch', 'cloneRequestState', 'processResponse', 'then'];

describe('the SDK', () => {
  it('has no method of queries that is not tried here', () => {
    const builders = [client.from('seats'), client.from('seats').select(), client.schema('archive')];
    const named = new Set(builders.flatMap(methodsOf));
    expect([...named].filter((name) => !(name in methods) && !inner.includes(name)).toSorted()).toEqual([]);
    expect(Object.keys(methods).filter((name) => !named.has(name))).toEqual([]);
  });

  it.each(Object.entries(methods))('%s', async (_name, [query, expected]) => {
    expect(await query()).toMatchObject({
      ...('error' in expected || 'status' in expected ? {} : { error: null }),
      ...expected,
    });
  });

  it('leaves nothing of what it rolled back', async () => {
    expect(await seats().eq('id', 20)).toMatchObject({ data: [] });
  });

  it.each(['exact', 'planned', 'estimated'] as const)('counts: %s', async (count) => {
    const { count: counted } = await films().select('id', { count, head: true });
    expect(counted).toEqual(count === 'planned' ? expect.any(Number) : 4);
  });

  it('calls functions by GET and leaves the body out with HEAD', async () => {
    expect(await client.rpc('add', { a: 2, b: 3 }, { get: true })).toMatchObject({ data: 5 });
    expect(await client.rpc('films_of', { director: 1 }, { head: true, count: 'exact' })).toMatchObject({
      data: null,
      count: 2,
    });
  });

  it('throws what is wrong when asked to', async () => {
    await expect(client.from('seats').select('nothing').throwOnError()).rejects.toMatchObject({
      code: '42703',
    });
  });
});

function methodsOf(builder: object): string[] {
  const names: string[] = [];
  for (
    let prototype: object = Object.getPrototypeOf(builder);
    prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    const all = Object.entries(Object.getOwnPropertyDescriptors(prototype));
    names.push(...all.filter(([, { value }]) => typeof value === 'function').map(([name]) => name));
  }
  return names.filter((name) => name !== 'constructor');
}

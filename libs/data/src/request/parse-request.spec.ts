import { describe, expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import type { HttpRequest } from './http-request.js';
import { defaultSettings, type TxEnd } from '../settings/rest-settings.js';
import { parseRequest as parse } from './parse-request.js';

const parseRequest = (request: HttpRequest) => parse(request, defaultSettings);

function http(overrides: Partial<HttpRequest>): HttpRequest {
  return { method: 'GET', path: 'films', query: '', headers: {}, body: undefined, ...overrides };
}

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('parseRequest', () => {
  it('keeps repeated parameters and their order', () => {
    const { conditions } = parseRequest(http({ query: 'id=gt.1&id=lt.9&a%20b=eq.x+y%2Bz' }));
    expect(conditions.map(({ value }) => value)).toMatchObject([
      { field: { column: 'id' }, operation: { operator: 'gt', value: '1' } },
      { field: { column: 'id' }, operation: { operator: 'lt', value: '9' } },
      { field: { column: 'a b' }, operation: { value: 'x y+z' } },
    ]);
  });

  it('sorts what is said by the table it is about', () => {
    const request = parseRequest(
      http({
        query: 'select=id,b(c(*))&b.x=eq.1&b.c.order=y&b.c.limit=2&b.c.offset=1&limit=5&b.or=(x.eq.1)',
      }),
    );
    expect(request.conditions.map(({ path }) => path)).toEqual([['b'], ['b']]);
    expect(request.orders.map(({ path }) => path)).toEqual([['b', 'c']]);
    expect(request.embedRanges).toEqual([{ path: ['b', 'c'], value: { offset: 1, limit: 2 } }]);
    expect(request.range).toEqual({ offset: 0, limit: 5 });
  });

  it('takes the rows that are both in Range and in limit and offset', () => {
    const range = (query: string, header?: string, method = 'GET') =>
      parseRequest(http({ method, query, headers: { range: header } })).range;
    expect(range('', '5-9')).toEqual({ offset: 5, limit: 5 });
    expect(range('', '5-')).toEqual({ offset: 5, limit: undefined });
    expect(range('offset=2&limit=10', '5-9')).toEqual({ offset: 5, limit: 5 });
    expect(range('limit=3', '0-9')).toEqual({ offset: 0, limit: 3 });
    expect(range('', 'bytes=0-9')).toEqual({ offset: 0, limit: undefined });
    expect(range('', '5-9', 'HEAD')).toEqual({ offset: 0, limit: undefined });
  });

  it('tells arguments of a function from filters', () => {
    const request = parseRequest(http({ path: 'rpc/f', query: 'a=1&b=eq.2&c=a.b&a=3&select=x' }));
    expect(request.arguments).toEqual([
      ['a', '1'],
      ['c', 'a.b'],
      ['a', '3'],
    ]);
    expect(request.conditions).toHaveLength(1);
  });

  it('passes over the key of the gateway, but not over a column of that name', () => {
    expect(parseRequest(http({ query: 'apikey=sb_publishable_x' })).conditions).toEqual([]);
    expect(parseRequest(http({ query: 'apikey=eq.x' })).conditions).toHaveLength(1);
  });

  it.each([
    ['GET', 'films', 'read'],
    ['HEAD', 'films', 'read'],
    ['POST', 'films', 'insert'],
    ['PATCH', 'films', 'update'],
    ['PUT', 'films', 'upsert'],
    ['DELETE', 'films', 'delete'],
    ['GET', 'rpc/f', 'callRead'],
    ['POST', 'rpc/f', 'call'],
  ])('%s %s is %s', (method, path, action) => {
    expect(parseRequest(http({ method, path, body: '{}' })).action).toBe(action);
  });

  it.each<[Partial<HttpRequest>, string]>([
    [{ path: '' }, 'PGRST125'],
    [{ path: 'a/b' }, 'PGRST125'],
    [{ path: 'rpc/' }, 'PGRST125'],
    [{ path: 'rpc/a/b' }, 'PGRST125'],
    [{ path: '%ff' }, 'PGRST125'],
    [{ path: 'a%00' }, 'PGRST125'],
    [{ method: 'TRACE' }, 'PGRST117'],
    [{ method: 'PUT', body: '{}', query: 'id=eq.1&limit=1' }, 'PGRST114'],
    [{ method: 'PUT', body: '{}', query: 'offset=1' }, 'PGRST114'],
    [{ method: 'PUT', body: '{}', query: 'limit=0' }, 'PGRST114'],
    [{ method: 'PUT', body: '{}', query: 'limit=-1' }, 'PGRST103'],
    [{ method: 'POST', body: '{', query: 'limit=-1' }, 'PGRST103'],
    [{ method: 'PATCH', path: 'rpc/f' }, 'PGRST101'],
    [{ query: 'a=eq.%00' }, 'PGRST100'],
    [{ query: 'a=eq.%ff' }, 'PGRST100'],
    [{ query: `a=eq.${'x'.repeat(limits.queryBytes)}` }, 'PGRST100'],
    [{ query: 'a=eq.1&'.repeat(limits.filters + 1) }, 'PGRST100'],
    [{ query: 'order=a&'.repeat(limits.orderTerms + 1) }, 'PGRST100'],
    [{ query: 'order=a->' }, 'PGRST100'],
    [{ query: 'order=a.desc.nullsfirst.x' }, 'PGRST100'],
    [{ query: 'limit=-1' }, 'PGRST103'],
    [{ query: 'columns=a,,b' }, 'PGRST100'],
    [{ query: 'on_conflict=a)' }, 'PGRST100'],
    [{ headers: { range: '9-5' } }, 'PGRST103'],
    [{ headers: { 'accept-profile': 'auth' } }, 'PGRST106'],
    [{ method: 'POST', body: '{}', headers: { 'content-profile': 'pg_catalog' } }, 'PGRST106'],
  ])('refuses %.60j with %s', (request, expected) => {
    expect(() => parseRequest(http(request))).toThrow(code(expected));
  });
});

describe('bodies', () => {
  const payload = (
    body: string | Buffer | undefined,
    contentType?: string,
    { path = 'films', query = '', method = 'POST' } = {},
  ) => parseRequest(http({ method, path, body, query, headers: { 'content-type': contentType } })).payload;

  it('keeps the text and finds the keys', () => {
    expect(payload(' {"b":1,"__proto__":2,"a":3}')).toEqual({
      kind: 'json-object',
      text: ' {"b":1,"__proto__":2,"a":3}',
      keys: ['__proto__', 'a', 'b'],
      isJson: true,
    });
    expect(payload('[{"a":1,"b":2},{"b":1,"a":2}]')).toMatchObject({ kind: 'json-array', keys: ['a', 'b'] });
    expect(payload('[]')).toMatchObject({ kind: 'json-array', keys: [] });
  });

  it('takes a bare value for no rows at all', () => {
    for (const body of ['5', '"x"', 'null']) expect(payload(body)).toMatchObject({ text: '[]', keys: [] });
  });

  it('does not look into JSON when the columns are named', () => {
    expect(payload('[{"a":1},{"b":2}]', undefined, { query: 'columns=b,a,b' })).toMatchObject({
      kind: 'json-array',
      keys: ['a', 'b'],
    });
    expect(payload('not json', undefined, { query: 'columns=a' })).toMatchObject({ text: 'not json' });
  });

  it('does so for PUT, which knows no columns', () => {
    expect(payload('{"a":1}', undefined, { method: 'PUT', query: 'columns=b' })).toMatchObject({
      keys: ['a'],
    });
  });

  it('makes rows of the lines of CSV', () => {
    expect(payload('b,a\n1,NULL\n"NULL",\n', 'text/csv; charset=utf-8')).toEqual({
      kind: 'json-array',
      text: '[{"0":"1","1":null},{"0":null,"1":""}]',
      keys: ['a', 'b'],
      members: new Map([
        ['b', '0'],
        ['a', '1'],
      ]),
      isJson: false,
    });
    expect(payload('a\n1,2\n3', 'text/csv')).toMatchObject({ text: '[{"0":"1"},{"0":"3"}]' });
    expect(payload('a,b\n1\n', 'text/csv')).toMatchObject({ text: '[{"0":"1"}]', keys: ['a'] });
  });

  it('makes a row of a form', () => {
    expect(payload('b=x+y%26z&a=1&a=2&c', 'application/x-www-form-urlencoded')).toEqual({
      kind: 'json-object',
      text: '{"b":"x y&z","a":"2","c":""}',
      keys: ['a', 'b', 'c'],
      isJson: false,
    });
  });

  it('are arguments of a function as a form', () => {
    const request = parseRequest(
      http({
        method: 'POST',
        path: 'rpc/f',
        body: 'a=1&b=2&a=3',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
    );
    expect(request).toMatchObject({
      payload: undefined,
      arguments: [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
      ],
    });
  });

  it('takes other types for functions only', () => {
    const call = { path: 'rpc/f' };
    expect(payload('hello', 'text/plain; charset=utf-8', call)).toEqual({ kind: 'text', value: 'hello' });
    expect(payload('<a/>', 'text/xml', call)).toEqual({ kind: 'xml', value: '<a/>' });
    const bytes = Buffer.from([0, 255]);
    expect(payload(bytes, 'application/octet-stream', call)).toEqual({ kind: 'bytea', value: bytes });
    expect(payload(undefined, undefined, call)).toMatchObject({ kind: 'json-object', text: '{}' });
  });

  it.each([
    ['text/plain', 'text/plain'],
    ['application/octet-stream', 'application/octet-stream'],
    ['image/png; level=1', 'image/png; level=1'],
    ['application/vnd.pgrst.object', 'application/vnd.pgrst.object+json'],
  ])('are not taken by tables as %s', (type, named) => {
    const message = `Content-Type not acceptable: ${named}`;
    expect(() => payload('hello', type)).toThrow(expect.objectContaining({ code: 'PGRST102', message }));
  });

  it.each([
    undefined,
    '',
    '{',
    '{"a":1}x',
    '[{"a":1},{"b":1}]',
    '[{"a":1},2]',
    '[1]',
    '[{"constructor":1},{}]',
  ])('refuses %j', (body) => {
    expect(() => payload(body)).toThrow(code('PGRST102'));
  });

  it('refuses lines of unlike length', () => {
    const message = 'All lines must have same number of fields';
    expect(() => payload('a,b\n1,2\n3', 'text/csv')).toThrow(expect.objectContaining({ message }));
  });

  it('refuses more fields than a table may have columns', () => {
    const names = Array.from({ length: limits.columns + 1 }, (_, i) => `c${i}`);
    expect(() => payload(`${names.join(',')}\n`, 'text/csv')).toThrow(code('PGRST100'));
    const form = 'application/x-www-form-urlencoded';
    expect(() => payload(names.map((name) => `${name}=1`).join('&'), form)).toThrow(code('PGRST100'));
  });
});

describe('preferences', () => {
  const preferences = (prefer: string, txEnd: TxEnd = 'commit') =>
    parse(http({ headers: { prefer } }), { ...defaultSettings, txEnd }).preferences;

  it('reads those it knows and lists the others', () => {
    expect(
      preferences(
        'return=representation, count=exact,resolution=merge-duplicates, x=1, max-affected=5, timezone=-4',
      ),
    ).toEqual({
      representation: 'representation',
      count: 'exact',
      resolution: 'merge-duplicates',
      maxAffected: 5,
      timezone: '-4',
      unknown: ['x=1'],
    });
  });

  it('takes the first of two and no inherited name', () => {
    expect(preferences('count=exact, count=planned, count=estimated').count).toBe('exact');
    expect(preferences('__proto__=x, constructor=y, count=all, return, count = exact').unknown).toEqual([
      '__proto__=x',
      'constructor=y',
      'count=all',
      'return',
      'count = exact',
    ]);
  });

  it('passes over a number of rows that is none', () => {
    expect(preferences('max-affected=few, max-affected=3')).toMatchObject({
      maxAffected: undefined,
      unknown: [],
    });
  });

  it('lets requests end their transaction otherwise only where settings do', () => {
    for (const txEnd of ['commit', 'rollback'] as const) {
      expect(preferences('tx=rollback', txEnd)).toMatchObject({ tx: undefined, unknown: [] });
      expect(preferences('tx=rollback', `${txEnd}-allow-override`)).toMatchObject({ tx: 'rollback' });
    }
  });
});

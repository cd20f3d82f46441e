import { describe, expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import type { HttpRequest } from './http-request.js';
import { defaultSettings } from '../settings/rest-settings.js';
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
    [{ method: 'PUT', body: '{}' }, 'PGRST117'],
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
    [{ headers: { accept: 'image/png' } }, 'PGRST107'],
  ])('refuses %.60j with %s', (request, expected) => {
    expect(() => parseRequest(http(request))).toThrow(code(expected));
  });
});

describe('bodies', () => {
  const payload = (body: string | undefined, contentType?: string, path = 'films', query = '') =>
    parseRequest(http({ method: 'POST', path, body, query, headers: { 'content-type': contentType } }))
      .payload;

  it('keeps the text and finds the keys', () => {
    expect(payload(' {"a":1,"__proto__":2}')).toEqual({
      kind: 'json-object',
      text: ' {"a":1,"__proto__":2}',
      keys: ['a', '__proto__'],
    });
    expect(payload('[{"a":1,"b":2},{"b":1,"a":2}]')).toMatchObject({ kind: 'json-array', keys: ['a', 'b'] });
    expect(payload('[]')).toMatchObject({ kind: 'json-array', keys: [] });
  });

  it('does not look into the body when the columns are named', () => {
    expect(payload('[{"a":1},{"b":2}]', undefined, 'films', 'columns=a,b,a')).toMatchObject({
      kind: 'json-array',
      keys: undefined,
    });
  });

  it('takes other texts for functions only', () => {
    expect(payload('hello', 'text/plain; charset=utf-8', 'rpc/f')).toMatchObject({
      kind: 'text',
      text: 'hello',
    });
    expect(payload(undefined, undefined, 'rpc/f')).toMatchObject({ kind: 'json-object', text: '{}' });
    expect(() => payload('hello', 'text/plain')).toThrow(code('PGRST102'));
  });

  it.each([undefined, '', '{', '{"a":1}x', '[{"a":1},{"b":1}]', '[{"a":1},2]', '[{"constructor":1},{}]'])(
    'refuses %j',
    (body) => {
      expect(() => payload(body)).toThrow(code('PGRST102'));
    },
  );
});

describe('preferences', () => {
  const preferences = (prefer: string) => parseRequest(http({ headers: { prefer } })).preferences;

  it('reads those it knows and lists the others', () => {
    expect(
      preferences('return=representation, count=exact,resolution=merge-duplicates, x=1, max-affected=5'),
    ).toMatchObject({
      representation: 'representation',
      count: 'exact',
      resolution: 'merge-duplicates',
      maxAffected: 5,
      unknown: ['x=1'],
    });
  });

  it('takes the first of two and no inherited name', () => {
    expect(preferences('count=exact, count=planned').count).toBe('exact');
    expect(preferences('__proto__=x, constructor=y, count=all, return').unknown).toEqual([
      '__proto__=x',
      'constructor=y',
      'count=all',
      'return',
    ]);
  });
});

describe('media types', () => {
  const type = (accept: string) => parseRequest(http({ headers: { accept } })).mediaType;

  it.each([
    ['*/*', 'array'],
    ['application/json', 'array'],
    ['', 'array'],
    ['application/vnd.pgrst.object+json', 'object'],
    ['application/vnd.pgrst.object', 'object'],
    ['text/csv', 'csv'],
    ['text/html, text/csv;q=0.5, application/json;q=0.1', 'csv'],
    ['text/csv;q=0, */*;q=0.1', 'array'],
  ])('%s is %s', (accept, format) => {
    expect(type(accept).format).toBe(format);
  });

  it('strips nulls on request', () => {
    expect(type('application/vnd.pgrst.object+json;nulls=stripped')).toEqual({
      format: 'object',
      stripNulls: true,
      contentType: 'application/vnd.pgrst.object+json; nulls=stripped; charset=utf-8',
    });
  });
});

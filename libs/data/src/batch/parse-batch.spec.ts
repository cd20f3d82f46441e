import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { limits } from '../limits.js';
import { BatchRequestError } from './batch-request-error.js';
import { parseBatch, sharedHeaders } from './parse-batch.js';

const http = { method: 'POST', path: 'batch', query: '', headers: {}, body: undefined };
const parse = (body: unknown, more: object = {}) =>
  parseBatch({ ...http, body: typeof body === 'string' ? body : JSON.stringify(body), ...more });
const parseOne = (request: object) => parse({ requests: [{ path: '/films', ...request }] });

/** What the batch is refused with, and for which of its requests. */
function refused(run: () => unknown): { code: unknown; message: string; request?: unknown } {
  try {
    run();
  } catch (error) {
    const { request, cause } = error as { request?: unknown; cause?: unknown };
    const { code, message } = (request === undefined ? error : cause) as { code: unknown; message: string };
    return { code, message, ...(request !== undefined && { request }) };
  }
  throw new Error('not refused');
}

describe('a batch', () => {
  it('is a list of requests, which read where they say nothing', () => {
    const [first, second] = parse({
      requests: [
        { path: '/films?id=eq.1' },
        { id: 'b', method: 'POST', path: '/films', headers: { Prefer: 'return=minimal' }, body: { id: 1 } },
      ],
    });
    expect(first).toMatchObject({ id: undefined, method: 'GET', headers: {}, body: undefined });
    expect(second).toMatchObject({ id: 'b', method: 'POST', headers: { prefer: 'return=minimal' } });
  });

  it.each([
    ['', 'Empty or invalid json'],
    ['{"requests": [}', 'Empty or invalid json'],
    ['null', 'expected'],
    ['[]', 'expected'],
    ['{}', 'requests'],
    ['{"requests": {"0": {"path": "/films"}}}', 'requests'],
    ['{"requests": []}', 'requests'],
    ['{"requests": [{"path": "/films"}], "more": 1}', 'more'],
    ['{"__proto__": {"requests": [{"path": "/films"}]}}', 'requests'],
    ['{"requests": null, "requests": 1}', 'requests'],
  ])('is refused where it is none: %s', (body, message) => {
    expect(refused(() => parse(body))).toEqual({
      code: 'PGRST102',
      message: expect.stringContaining(message),
    });
  });

  it.each([
    [null, 'expected'],
    [{}, 'path'],
    [{ path: 'films' }, 'path'],
    [{ path: '/' }, 'path'],
    [{ path: '/?select=x' }, 'path'],
    [{ path: '/films', method: 'OPTIONS' }, 'method'],
    [{ path: '/films', method: 'get' }, 'method'],
    [{ path: '/films', id: '1' }, 'id'],
    [{ path: '/films', id: 1 }, 'id'],
    [{ path: '/films', id: '' }, 'id'],
    [{ path: '/films', headers: { prefer: 1 } }, 'headers'],
    [{ path: '/films', headers: { authorization: 'Bearer x' } }, '"authorization"'],
    [{ path: '/films', headers: { Apikey: 'x' } }, '"apikey"'],
    [{ path: '/films', headers: { 'X-Forwarded-For': 'x' } }, '"x-forwarded-for"'],
    [{ path: '/films', headers: { prefer: 'tx=commit' } }, 'one transaction'],
    [{ path: '/films', headers: { Prefer: 'return=minimal, tx=rollback' } }, 'one transaction'],
    [{ path: '/films', url: '/films' }, 'url'],
  ])('says which request is wrong: %j', (request, message) => {
    expect(refused(() => parse({ requests: [{ path: '/films' }, request] }))).toEqual({
      code: 'PGRST102',
      message: expect.stringContaining(message),
      request: { index: 1, id: undefined },
    });
  });

  it('names a wrong request by its id, too', () => {
    const two = {
      requests: [
        { path: '/films', id: 'a' },
        { path: '/films', id: 'a' },
      ],
    };
    expect(refused(() => parse(two))).toMatchObject({
      message: 'Two requests of the batch have the id "a"',
      request: { index: 1, id: 'a' },
    });
  });

  it('takes names that objects have by themselves for what they are', () => {
    const ids = ['__proto__', 'constructor', 'toString'];
    const requests = ids.map((id) => ({ id, path: '/films' }));
    const body = [{ $ref: '/__proto__/0' }, { $ref: '/constructor/0' }];
    expect(parse({ requests: [...requests, { method: 'POST', path: '/films', body }] })).toHaveLength(4);
    const unknown = { method: 'POST', path: '/films', body: { $ref: '/hasOwnProperty/0' } };
    expect(refused(() => parse({ requests: [...requests, unknown] }))).toMatchObject({
      message: '"/hasOwnProperty/0" refers to no earlier request of the batch',
    });
  });

  it('refers to earlier requests alone', () => {
    const body = (pointer: string) => ({ id: 'self', method: 'POST', body: [{ id: { $ref: pointer } }] });
    for (const pointer of ['/0/0/id', '/self/0/id', '/1/0/id', '/later', '/-1', '/00', '/', '/1e400']) {
      expect([pointer, refused(() => parseOne(body(pointer))).message]).toEqual([
        pointer,
        `"${pointer}" refers to no earlier request of the batch`,
      ]);
    }
    for (const pointer of ['', '0/id', '#/0/id', '/0~2', 'self']) {
      expect(refused(() => parseOne(body(pointer))).message).toBe(`"${pointer}" is no reference`);
    }
    expect(refused(() => parseOne({ path: '/films?id=eq.${/0/id}' })).message).toContain('no earlier');
  });

  it('is JSON, and has parameters in the paths of its requests alone', () => {
    const body = { requests: [{ path: '/films' }] };
    expect(refused(() => parse(body, { headers: { 'content-type': 'text/csv' } })).message).toBe(
      'Content-Type not acceptable: text/csv',
    );
    expect(refused(() => parse(body, { query: 'select=id' })).message).toContain('no parameter "select"');
    expect(parse(body, { query: 'apikey=x' })).toHaveLength(1);
  });

  it('has bounds', () => {
    const most = Array.from({ length: limits.batchRequests }, () => ({ path: '/films' }));
    expect(parse({ requests: most })).toHaveLength(limits.batchRequests);
    expect(refused(() => parse({ requests: [...most, { path: '/films' }] }))).toMatchObject({
      code: 'PGRST100',
      message: expect.stringContaining('requests in a batch'),
    });
    const nested = (depth: number) => `${'['.repeat(depth)}1${']'.repeat(depth)}`;
    const withBody = (body: string) => `{"requests":[{"method":"POST","path":"/films","body":${body}}]}`;
    expect(parse(withBody(nested(limits.batchNesting - 3)))).toHaveLength(1);
    expect(refused(() => parse(withBody(nested(limits.batchNesting)))).code).toBe('PGRST100');
    expect(refused(() => parse(withBody(nested(100_000)))).code).toBe('PGRST100');
    expect(refused(() => parse(withBody(JSON.stringify('x'.repeat(limits.batchBodyBytes))))).code).toBe(
      'PGRST100',
    );
    const long = { method: 'POST', body: { $ref: `/0/${'x'.repeat(limits.pointerLength)}` } };
    expect(refused(() => parseOne(long)).code).toBe('PGRST100');
  });

  it('bounds what no front door has measured: paths and headers of its requests', () => {
    const path = (length: number) => ({ path: '/'.padEnd(length, 'x') });
    expect(() => parseOne(path(limits.batchPathLength))).not.toThrow();
    expect(refused(() => parseOne(path(limits.batchPathLength + 1)))).toMatchObject({
      code: 'PGRST100',
      message: expect.stringContaining('characters in a path'),
    });
    const accept = (length: number) => ({ headers: { accept: ','.repeat(length - 'accept'.length) } });
    expect(() => parseOne(accept(limits.batchHeadersLength))).not.toThrow();
    expect(refused(() => parseOne(accept(limits.batchHeadersLength + 1)))).toMatchObject({
      code: 'PGRST100',
      message: expect.stringContaining('characters in headers'),
    });
  });

  it('is refused in words, whatever is sent', () => {
    const request = fc.record(
      {
        id: fc.oneof(fc.string(), fc.constantFrom('a', '__proto__')),
        method: fc.oneof(fc.string(), fc.constantFrom('POST', 'GET')),
        path: fc.oneof(fc.string(), fc.webPath(), fc.constantFrom('/a?b=eq.${/0/x}', '/a?b=${', '/${}')),
        headers: fc.oneof(fc.json(), fc.dictionary(fc.string(), fc.string())),
        body: fc.oneof(fc.jsonValue(), fc.record({ $ref: fc.jsonValue() })),
      },
      { requiredKeys: ['path'] },
    );
    const batch = fc.oneof(
      fc.jsonValue(),
      fc.record({ requests: fc.array(fc.oneof(request, fc.jsonValue())) }),
    );
    fc.assert(
      fc.property(batch, (body) => {
        try {
          parse(body ?? null);
        } catch (error) {
          const { cause } = error as { cause?: unknown };
          const { code } = (error instanceof BatchRequestError ? cause : error) as { code?: unknown };
          expect(code).toMatch(/^PGRST10[02]$/);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('says once for all who asks', () => {
    const given = { authorization: 'a', 'x-own': 'b', prefer: 'c', accept: 'd', 'content-length': '9' };
    expect(sharedHeaders(given)).toEqual({ authorization: 'a', 'x-own': 'b' });
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ResponseParser, type ResponseHead } from './response-parser.js';

const maxHeadBytes = 4096;

/** What comes of these bytes, fed in these parts. */
function parsed(parts: readonly Buffer[], { isHead = false, ends = false } = {}) {
  let head: ResponseHead | undefined;
  let body = '';
  let isComplete = false;
  const parser = new ResponseParser(isHead, maxHeadBytes, {
    onHead: (read) => (head = read),
    onData: (part) => (body += part.toString('latin1')),
    onEnd: () => (isComplete = true),
  });
  for (const part of parts) parser.feed(part);
  if (ends) parser.finish();
  return { head, body, isComplete, hasSurplus: parser.hasSurplus };
}

const parse = (text: string, how = {}) => parsed([Buffer.from(text, 'latin1')], how);
const ok = (...lines: string[]) => ['HTTP/1.1 200 OK', ...lines].join('\r\n');

describe('the parser of what functions answer', () => {
  it('reads a status, headers in lower case, and a body of the length that is told', () => {
    expect(parse(ok('Content-Length: 5', 'X-A: \t1 ', '', 'hello'))).toEqual({
      head: {
        status: 200,
        headers: { 'content-length': '5', 'x-a': '1' },
        keepsAlive: true,
        idleSeconds: null,
      },
      body: 'hello',
      isComplete: true,
      hasSurplus: false,
    });
  });

  it('keeps several headers of one name apart, and leaves out those of the connection', () => {
    const { head } = parse(
      ok(
        'set-cookie: a',
        'Set-Cookie: b',
        'connection: x',
        'Keep-Alive: timeout=5, max=9',
        'content-length: 0',
        '',
        '',
      ),
    );
    expect(head!.headers).toEqual({ 'set-cookie': ['a', 'b'], 'content-length': '0' });
    expect(head!.idleSeconds).toBe(5);
  });

  it('reads chunks, their extensions and trailers', () => {
    const text = ok('transfer-encoding: Chunked', '', '5;a=b', 'hello', '1 ', '!', '0', 'x: y', '', '');
    expect(parse(text)).toMatchObject({ body: 'hello!', isComplete: true });
  });

  it('reads a body without a length until the connection ends, which carries no other', () => {
    expect(parse(ok('', 'some'))).toMatchObject({ body: 'some', isComplete: false });
    expect(parse(ok('', 'some'), { ends: true })).toMatchObject({
      isComplete: true,
      head: { keepsAlive: false },
    });
  });

  it.each([
    ['an answer to HEAD', ok('content-length: 5', '', ''), { isHead: true }],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', {}],
    ['304', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n', {}],
  ])('knows that %s has no body', (_what, text, how) => {
    expect(parse(text, how)).toMatchObject({ body: '', isComplete: true, head: { keepsAlive: true } });
  });

  it('passes over informational answers', () => {
    const text = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n${ok('content-length: 0', '', '')}`;
    expect(parse(text)).toMatchObject({ head: { status: 200, headers: { 'content-length': '0' } } });
  });

  it('tells what came beyond the answer, and does not take it for a part of it', () => {
    expect(parse(ok('content-length: 1', '', 'abc'))).toMatchObject({ body: 'a', hasSurplus: true });
  });

  it.each([
    ['another protocol', 'SSH-2'],
    ['another version', 'HTTP/1.0 200 OK\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 99 No\r\n\r\n'],
    ['a status of four', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a line feed alone', 'HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n'],
    ['a folded header', ok('a: b', ' c', '', '')],
    ['a header without a name', ok(': b', '', '')],
    ['a space before the colon', ok('a : b', '', '')],
    ['a zero byte', ok('a: \0', '', '')],
    ['a name that objects have', ok('__proto__: b', '', '')],
    ['two lengths', ok('content-length: 1', 'content-length: 1', '', 'a')],
    ['a list of lengths', ok('content-length: 1, 1', '', 'a')],
    ['a length that is none', ok('content-length: +1', '', 'a')],
    ['a length and chunks', ok('content-length: 1', 'transfer-encoding: chunked', '', '0', '', '')],
    ['another coding', ok('transfer-encoding: gzip, chunked', '', '')],
    ['chunked twice', ok('transfer-encoding: chunked', 'transfer-encoding: chunked', '', '0', '', '')],
    ['a chunk size that is none', ok('transfer-encoding: chunked', '', '0x5', 'hello')],
    ['a chunk longer than it says', ok('transfer-encoding: chunked', '', '4', 'hello', '0', '', '')],
    ['a head without end', ok(`a: ${'b'.repeat(maxHeadBytes)}`)],
    [
      'trailers without end',
      ok('transfer-encoding: chunked', '', '0', ...Array<string>(maxHeadBytes).fill('a: b')),
    ],
  ])('refuses %s', (_what, text) => {
    expect(() => parse(text)).toThrow();
  });

  it.each([
    ['before its head', 'HTTP/1.1 200 OK\r\n'],
    ['in its body', ok('content-length: 5', '', 'hell')],
    ['in a chunk', ok('transfer-encoding: chunked', '', '5', 'hell')],
    ['before its last chunk', ok('transfer-encoding: chunked', '', '5', 'hello', '')],
  ])('tells when an answer ends %s', (_what, text) => {
    expect(() => parse(text, { ends: true })).toThrow();
  });

  it.each([
    ok('content-length: 11', 'a: b', '', 'hello\r\n\r\n12', 'x'),
    ok('transfer-encoding: chunked', '', 'a', '0123456789', '1;x', '!', '0', 'a: b', 'c: d', '', 'surplus'),
    `HTTP/1.1 100 Continue\r\n\r\n${ok('', 'until the end\r\n\r\n')}`,
  ])('reads the same however the bytes are cut: %j', (text) => {
    const bytes = Buffer.from(text, 'latin1');
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }));
    fc.assert(
      fc.property(cuts, (unsorted) => {
        const edges = [0, ...unsorted.toSorted((a, b) => a - b), bytes.length];
        const parts = edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
        expect(parsed(parts)).toEqual(parse(text));
      }),
    );
  });
});

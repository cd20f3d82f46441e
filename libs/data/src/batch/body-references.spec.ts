import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { limits } from '../limits.js';
import { resolveBody } from './body-references.js';
import { parseJson } from './json-text.js';

const earlier = new Map([
  ['0', 0],
  ['a', 0],
]);

/** @param body  in JSON; its references point into `answer`, in JSON as well */
const resolvedText = (body: string, answer: string) =>
  resolveBody(parseJson(body), earlier, () => parseJson(answer));
const resolved = (body: unknown, answer: unknown): unknown =>
  JSON.parse(resolvedText(JSON.stringify(body), JSON.stringify(answer)));

describe('references in a body', () => {
  it('become what they point at, of its type', () => {
    const answer = [{ id: 7, name: 'Ann', tags: ['x'], info: { a: null }, ok: true, none: null }];
    for (const [name, value] of Object.entries(answer[0]!)) {
      expect(resolved({ it: { $ref: `/a/0/${name}` } }, answer)).toEqual({ it: value });
    }
    expect(resolved([{ $ref: '/0' }, 1], answer)).toEqual([answer, 1]);
    expect(resolved({ $ref: '/a/0' }, answer)).toEqual(answer[0]);
  });

  it('keep digits that numbers of JavaScript cannot hold', () => {
    const answer = '[{"id":9007199254740993,"price":0.30000000000000000001}]';
    const body = '{"id":{"$ref":"/a/0/id"},"price":{"$ref":"/a/0/price"},"own":12345678901234567890}';
    expect(resolvedText(body, answer)).toBe(
      '{"id":9007199254740993,"price":0.30000000000000000001,"own":12345678901234567890}',
    );
  });

  it('find members with slashes and tildes by their escapes', () => {
    expect(resolved([{ $ref: '/a/x~1y/m~0n/~01' }], { 'x/y': { 'm~n': { '~1': 1 } } })).toEqual([1]);
    expect(resolved([{ $ref: '/a/' }], { '': 2 })).toEqual([2]);
  });

  it('are only objects of just that member', () => {
    for (const literal of [
      { $ref: '/a', more: 1 },
      { ref: '/a' },
      { $REF: '/a' },
      '${/a}',
      '/a',
      ['$ref', '/a'],
    ]) {
      expect(resolved([literal], 5)).toEqual([literal]);
    }
  });

  it('have a way to be written as what they look like', () => {
    expect(resolved({ $$ref: '/a' }, 5)).toEqual({ $ref: '/a' });
    expect(resolved({ $$$ref: 1 }, 5)).toEqual({ $$ref: 1 });
    expect(resolved([{ $$ref: { $ref: '/a' } }], 5)).toEqual([{ $ref: 5 }]);
  });

  it('are not looked for in what others pointed at', () => {
    const hostile = [{ $ref: '/a/1' }, { $$ref: 1 }, '${/a/0}'];
    expect(resolved([{ $ref: '/a' }], hostile)).toEqual([hostile]);
  });

  it('become any value as it is', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(resolved({ it: { $ref: '/a/0' } }, [JSON.parse(json)])).toEqual({ it: JSON.parse(json) });
      }),
    );
  });

  it('are refused where nothing is, also what every object has', () => {
    for (const pointer of ['/a/1', '/a/x', '/a/0/id/x', '/a/length', '/a/0/__proto__', '/a/0/constructor']) {
      expect(() => resolved({ $ref: pointer }, [{ id: 1 }])).toThrow(
        `"${pointer}" is not in the response that it refers to`,
      );
    }
    expect(() => resolved({ $ref: '/a/0' }, null)).toThrow('"/a/0" is not in the response');
    expect(() => resolved([{ $ref: ['/a'] }], 1)).toThrow('must be a text');
  });

  it('make no body larger than one may be', () => {
    const answer = 'x'.repeat(limits.batchBodyBytes / 4);
    const repeated = (times: number) => Array.from({ length: times }, () => ({ $ref: '/a' }));
    expect(() => resolved(repeated(3), answer)).not.toThrow();
    expect(() => resolved(repeated(5), answer)).toThrow(`more than ${limits.batchBodyBytes}`);
  });
});

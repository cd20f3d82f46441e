import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { memberOf, parseJson, writeJson } from './json-text.js';

describe('JSON with its digits', () => {
  it('is written as it was read', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        // Duplicate members and spaces aside, which JSON.stringify settles.
        const plain = JSON.stringify(JSON.parse(text));
        expect(JSON.parse(writeJson(parseJson(plain)))).toEqual(JSON.parse(plain));
      }),
    );
  });

  it('keeps digits that numbers of JavaScript cannot hold', () => {
    const text = '{"id":9007199254740993,"price":0.10000000000000000000001,"far":[1e400,-0]}';
    expect(writeJson(parseJson(text))).toBe(text);
  });

  it('tells texts from numbers, whatever they hold', () => {
    const text = '{"1":"1","a\\"2":["n1","s1","\\\\",-1.5E+3],"__proto__":{"x":1}}';
    expect(writeJson(parseJson(text))).toBe(text);
  });

  it('reads texts of any length', () => {
    const text = JSON.stringify({ long: 'x"\\'.repeat(1_000_000) });
    expect(writeJson(parseJson(text)) === text).toBe(true);
  });

  it('finds elements and members of its own alone', () => {
    const value = parseJson('{"a":[10,20],"b/c":true,"sx":1}');
    expect(memberOf(memberOf(value, 'a')!, '1')).toBe('n20');
    expect(memberOf(memberOf(value, 'a')!, '01')).toBeUndefined();
    expect(memberOf(memberOf(value, 'a')!, 'length')).toBeUndefined();
    expect(memberOf(value, 'b/c')).toBe(true);
    expect(memberOf(value, 'x')).toBeUndefined();
    expect(memberOf(value, '__proto__')).toBeUndefined();
    expect(memberOf(value, 'constructor')).toBeUndefined();
  });
});

import { describe, expect, it } from '@jest/globals';
import { quoteIdent, quoteLiteral, quoteQualified } from './sql.js';

describe('quoting', () => {
  it.each([
    ['plain', '"plain"'],
    ['Two Words', '"Two Words"'],
    ['a"b', '"a""b"'],
    ['x"; drop table y; --', '"x""; drop table y; --"'],
  ])('makes the identifier %s safe', (name, quoted) => {
    expect(quoteIdent(name)).toBe(quoted);
  });

  it.each([
    ['plain', "'plain'"],
    ["it's", "'it''s'"],
    ['back\\slash', " E'back\\\\slash'"],
  ])('makes the literal %s safe', (value, quoted) => {
    expect(quoteLiteral(value)).toBe(quoted);
  });

  it('refuses a NUL, which PostgreSQL would cut at', () => {
    expect(() => quoteIdent('a\0b')).toThrow(TypeError);
    expect(() => quoteLiteral('a\0b')).toThrow(TypeError);
  });

  it('quotes a schema and a name apart', () => {
    expect(quoteQualified('a.b', 'c')).toBe('"a.b"."c"');
  });
});

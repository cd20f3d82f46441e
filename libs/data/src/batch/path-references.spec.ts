import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ApiRequest } from '../request/api-request.js';
import { parseRequest } from '../request/parse-request.js';
import { defaultSettings } from '../settings/rest-settings.js';
import { parseJson } from './json-text.js';
import { inWordsOf, parsePathTemplate, resolveRequest } from './path-references.js';

const earlier = new Map([
  ['0', 0],
  ['a', 0],
]);

/** A request by `query`, whose references point into `answer`. */
function resolved(query: string, answer: unknown, path = 'films'): ApiRequest {
  const template = parsePathTemplate(query, earlier);
  const http = { method: 'GET', path, query: template.path, headers: {}, body: undefined };
  const body = parseJson(JSON.stringify(answer));
  return resolveRequest(
    inWordsOf(template, () => parseRequest(http, defaultSettings)),
    template,
    () => body,
  );
}
const conditions = (query: string, answer: unknown) =>
  resolved(query, answer).conditions.map(({ value }) => value);
const operation = (query: string, answer: unknown) => {
  const [condition, ...others] = conditions(query, answer);
  expect(others).toEqual([]);
  return condition!.kind === 'filter' ? condition!.operation : condition;
};
const refusal = (message: string) =>
  expect.objectContaining({ code: 'PGRST102', message: expect.stringContaining(message) });

/** Values that would be more than values, were they only put into the path. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
  fc
    .array(
      fc.constantFrom(
        ...'"\\,()[]{}.&=%$*|;\'',
        'or=(',
        'id.gt.0',
        'not.',
        '${/a/0}',
        '%22',
        '%26',
        'eq.1',
        '\n',
      ),
    )
    .map((parts) => parts.join('')),
);
/** All of a condition but its values. */
const shape = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => (key === 'value' ? '' : key === 'values' ? [] : inner)),
  );

describe('references in a path', () => {
  it('are values of filters, in lists and in trees of logic', () => {
    expect(operation('id=eq.${/a/id}', { id: 7 })).toMatchObject({ operator: 'eq', value: '7' });
    expect(operation('title=like.*${/a/0}*', ['Ran'])).toMatchObject({ value: '*Ran*' });
    expect(operation('id=in.(${/a/0},"${/a/1}",9)', [1, 'x,y'])).toEqual({
      kind: 'in',
      values: ['1', 'x,y', '9'],
    });
    const tree = conditions('or=(id.eq.${/a/0},and(title.eq.${/a/1},id.in.(${/a/2})))', [1, 'a)b', [3, 4]]);
    expect(JSON.stringify(tree)).toContain('"a)b"');
    expect(JSON.stringify(tree)).toContain('["3","4"]');
  });

  it('are arguments of functions, even where the value looks like a filter', () => {
    const request = resolved('word=${/a}', 'eq.5', 'rpc/shout');
    expect(request.arguments).toEqual([['word', 'eq.5']]);
    expect(request.conditions).toEqual([]);
  });

  it('are as many elements of a list as they point at', () => {
    expect(operation('id=in.(0,${/a})', [1, 2])).toEqual({ kind: 'in', values: ['0', '1', '2'] });
    expect(operation('id=in.(${/a})', [])).toEqual({ kind: 'in', values: [] });
    expect(operation('id=in.(${/a})', [''])).toEqual({ kind: 'in', values: [''] });
  });

  it('are elements of literals between brackets', () => {
    expect(operation('tags=cs.{${/a/0},b}', ['x,"y\\'])).toMatchObject({ value: '{"x,\\"y\\\\",b}' });
    expect(operation('tags=ov.{${/a}}', ['x', 'y z'])).toMatchObject({ value: '{"x","y z"}' });
    expect(operation('id=eq(any).{${/a}}', [1, 2])).toMatchObject({ value: '{1,2}' });
    expect(operation('tags=cs.{"a${/a}"}', 'x","b')).toMatchObject({ value: '{"ax\\",\\"b"}' });
    expect(operation('info=cs.${/a}', { x: [1] })).toMatchObject({ value: '{"x":[1]}' });
  });

  it('add no condition, whatever the values hold', () => {
    const queries = [
      'title=eq.${/a/0}&id=eq.${/a/1}',
      'title=in.(${/a/0},"${/a/1}",z)',
      'or=(title.eq.${/a/0},not.and(id.in.(${/a/1},3),tags.cs.{${/a/0}}))',
      'title=not.fts(english).${/a/0}&title=like(any).{${/a/0},*${/a/1}*}',
      'films.title=isdistinct.${/a/0}&films.or=(title.ilike."*${/a/1}*")',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...queries), hostile, hostile, (query, first, second) => {
        const harmless = conditions(query, ['x', 'y']);
        const told = conditions(query, [first, second]);
        expect(shape(told)).toEqual(shape(harmless));
      }),
      { numRuns: 500 },
    );
  });

  it('add no element to a list or a literal, whatever the values hold', () => {
    fc.assert(
      fc.property(hostile, hostile, (first, second) => {
        expect(operation('title=in.(${/a/0},"${/a/1}")', [first, second])).toEqual({
          kind: 'in',
          values: [first, second],
        });
        const { value } = operation('tags=cs.{${/a/0},"${/a/1}"}', [first, second]) as { value: string };
        expect(elementsOf(value)).toEqual([first, second]);
      }),
      { numRuns: 500 },
    );
  });

  it('are refused where no value stands', () => {
    for (const query of [
      'select=${/a}',
      'order=${/a}',
      'limit=${/a}',
      'columns=${/a}',
      '${/a}=eq.1',
      'info->>${/a}=eq.1',
      'id=${/a}.1',
      'title=fts(${/a}).x',
      'or=(${/a}.eq.1)',
      'tags=cs.{\\${/a}}',
      '${/a}',
    ]) {
      expect([query, refused(() => resolved(query, 'id'))]).toEqual([query, expect.stringContaining('/a')]);
    }
  });

  it('are refused where nothing is, and for null', () => {
    expect(() => resolved('id=eq.${/a/nothing}', {})).toThrow(refusal('"/a/nothing" is not in the response'));
    expect(() => resolved('id=eq.${/a}', null)).toThrow(refusal('"/a" is null'));
    expect(() => resolved('id=in.(${/a})', [1, null])).toThrow(refusal('"/a" is null'));
    expect(() => resolved('id=eq.${/b}', {})).toThrow(refusal('"/b" refers to no earlier request'));
    expect(() => resolved('id=eq.${a}', {})).toThrow(refusal('"a" is no reference'));
    expect(() => resolved('id=eq.${/a/~2}', {})).toThrow(refusal('"/a/~2" is no reference'));
  });

  it('can be written as text', () => {
    expect(operation('title=eq.%24{/a}', 1)).toMatchObject({ value: '${/a}' });
  });
});

function refused(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return 'not refused';
}

/** As PostgreSQL reads an array of texts. */
function elementsOf(literal: string): string[] {
  const elements = literal.slice(1, -1).match(/"(?:[^"\\]|\\.)*"(?=,|$)/gs)!;
  expect(elements.join(',')).toBe(literal.slice(1, -1));
  return elements.map((element) => element.slice(1, -1).replaceAll(/\\(.)/gs, '$1'));
}

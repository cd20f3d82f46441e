import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '#libs/platform';
import type { Field } from './field.js';
import { parseOrder, type OrderTerm } from './order.js';
import { parseSelect, type Aggregate, type SelectItem } from './select.js';
import type { TypeName } from './type-name.js';

// Each thing is made first, then written down by the grammar; what is read back must be the same thing.

const bareName = fc
  .stringMatching(/^[\p{L}_$][\p{L}\p{N}_$]{0,6}( [\p{L}\p{N}_$]{1,3})?(-[\p{L}\p{N}_$]{1,3})?$/u)
  .filter((name) => !['count', 'inner', 'left'].includes(name));
const anyName = fc.oneof(
  bareName,
  fc.string({ minLength: 1, maxLength: 6 }),
  fc.constantFrom('a,b', '(', '"', '\\', 'a.b'),
);

function written(name: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`;
}

const field: fc.Arbitrary<Field> = fc.record({
  column: anyName,
  jsonPath: fc.array(
    fc.record({
      arrow: fc.constantFrom('->' as const, '->>' as const),
      key: fc.oneof(fc.integer({ min: -999, max: 999 }), anyName),
    }),
    { maxLength: 3 },
  ),
});

function writtenField({ column, jsonPath }: Field): string {
  const steps = jsonPath.map(
    ({ arrow, key }) => `${arrow}${typeof key === 'number' ? key : `"${key.replace(/["\\]/g, '\\$&')}"`}`,
  );
  return written(column) + steps.join('');
}

const typeName: fc.Arbitrary<TypeName> = fc.record({
  schema: fc.option(fc.constantFrom('app', 'my_schema'), { nil: undefined }),
  name: fc.constantFrom('text', 'int4', 'numeric', 'mood'),
  modifiers: fc.array(fc.integer({ min: 0, max: 99_999 }), { maxLength: 2 }),
  array: fc.boolean(),
});

function writtenCast(type: TypeName | undefined): string {
  if (!type) return '';
  const schema = type.schema === undefined ? '' : `${type.schema}.`;
  const modifiers = type.modifiers.length === 0 ? '' : `(${type.modifiers.join(',')})`;
  return `::${schema}${type.name}${modifiers}${type.array ? '[]' : ''}`;
}

const alias = fc.option(anyName, { nil: undefined });
const cast = fc.option(typeName, { nil: undefined });
const aggregate: fc.Arbitrary<Aggregate> = fc.record({
  function: fc.constantFrom('sum', 'avg', 'min', 'max', 'count' as const),
  cast,
});

const { items } = fc.letrec<{ items: SelectItem[]; item: SelectItem }>((tie) => ({
  items: fc.array(tie('item'), { minLength: 1, maxLength: 4 }),
  item: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant({ kind: 'star' as const }),
    fc
      .tuple(field, alias, cast, fc.option(aggregate, { nil: undefined }))
      .map(([of, as, to, made]): SelectItem => ({
        kind: 'field',
        field: of,
        alias: as,
        cast: to,
        aggregate: made,
      })),
    fc.tuple(alias, cast).map(([as, to]): SelectItem => ({
      kind: 'count',
      alias: as,
      aggregate: { function: 'count', cast: to },
    })),
    fc
      .record({
        kind: fc.constant('embed' as const),
        relation: anyName.filter((name) => name !== 'count'),
        alias,
        hint: fc.option(
          anyName.filter((name) => name !== 'inner' && name !== 'left'),
          { nil: undefined },
        ),
        inner: fc.boolean(),
        spread: fc.boolean(),
        items: fc.oneof(fc.constant([]), tie('items')),
      })
      .map((embed): SelectItem => (embed.spread ? { ...embed, alias: undefined } : embed)),
  ),
}));

function writtenItem(item: SelectItem): string {
  if (item.kind === 'star') return '*';
  const prefix = item.alias === undefined ? '' : `${written(item.alias)}:`;
  switch (item.kind) {
    case 'field': {
      const { aggregate: made } = item;
      const suffix = made ? `.${made.function}()${writtenCast(made.cast)}` : '';
      return `${prefix}${writtenField(item.field)}${writtenCast(item.cast)}${suffix}`;
    }
    case 'count':
      return `${prefix}count()${writtenCast(item.aggregate.cast)}`;
    case 'embed': {
      const hint = item.hint === undefined ? '' : `!${written(item.hint)}`;
      const join = item.inner ? '!inner' : '';
      const start = item.spread ? '...' : prefix;
      return `${start}${written(item.relation)}${hint}${join}(${item.items.map(writtenItem).join(',')})`;
    }
  }
}

describe('select', () => {
  it('is read as it was meant', () => {
    fc.assert(
      fc.property(items, (meant) => {
        expect(parseSelect(meant.map(writtenItem).join(','))).toEqual(meant);
      }),
    );
  });

  it('passes over spaces before items', () => {
    fc.assert(
      fc.property(items, fc.constantFrom(' ', '  ', '\t'), (meant, space) => {
        const text = meant.map((item) => `${space}${writtenItem(item)}`).join(',');
        expect(parseSelect(text)).toEqual(meant);
      }),
    );
  });

  const pieces = fc.constantFrom(
    'a',
    'b c',
    '*',
    ',',
    ':',
    '::',
    '(',
    ')',
    '!',
    'inner',
    '...',
    '.',
    'sum()',
    'count()',
    '->',
    '->>',
    '"',
    '\\',
    ' ',
    '1',
    '-',
    '[]',
    'é',
  );

  it('that is no select is refused with PGRST100, and nothing worse', () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        try {
          parseSelect(parts.join(''));
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          expect(error.code).toBe('PGRST100');
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('is read in time that grows with its length alone', () => {
    for (const text of [
      'a:'.repeat(10_000),
      '"a'.repeat(10_000),
      'a-'.repeat(10_000),
      'a!'.repeat(10_000),
      '->'.repeat(10_000),
    ]) {
      expect(() => parseSelect(text)).toThrow(expect.objectContaining({ code: 'PGRST100' }));
    }
  });
});

describe('order', () => {
  const term: fc.Arbitrary<OrderTerm> = fc.record({
    field,
    embed: fc.option(anyName, { nil: undefined }),
    direction: fc.option(fc.constantFrom('asc' as const, 'desc' as const), { nil: undefined }),
    nulls: fc.option(fc.constantFrom('first' as const, 'last' as const), { nil: undefined }),
  });

  function writtenTerm({ field: meant, embed, direction, nulls }: OrderTerm): string {
    const value = embed === undefined ? writtenField(meant) : `${written(embed)}(${writtenField(meant)})`;
    return `${value}${direction ? `.${direction}` : ''}${nulls ? `.nulls${nulls}` : ''}`;
  }

  it('is read as it was meant', () => {
    fc.assert(
      fc.property(fc.array(term, { minLength: 1, maxLength: 5 }), (meant) => {
        expect(parseOrder(meant.map(writtenTerm).join(','))).toEqual(meant);
      }),
    );
  });
});

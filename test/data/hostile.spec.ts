import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { names, noise, prototypeNames, withVictim, type Sent } from './hostile.js';

// What is written would stay.
const { answerTo, isAnsweredInShape, holdsForAll, isUnchanged } = withVictim();

const knownOperators =
  `eq neq gt gte lt lte like ilike match imatch in is isdistinct fts plfts phfts wfts cs cd ov sl sr
  nxr nxl adj not.eq eq(any) like(all) fts(english)`.split(/\s+/);
const operators = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...knownOperators) },
  fc.constantFrom('not', 'fts(nothing)', 'eq(some)', 'not.not.eq', '', 'EQ', ...prototypeNames),
);
const values = fc.oneof(
  noise,
  fc.constantFrom('1', 'null', '(1,2)', '{1,2}', '[1,2)', 'a', '"a b"'),
  fc.constantFrom('"', '("a","b', '2147483648', 'NaN', '1e999'),
);

/** A query string that no browser would send, but that HTTP can carry. */
const raw = (query: string) => query.replace(/[^\x21-\x7e]|#/gu, (mark) => encodeURIComponent(mark));
const get = (query: string, table = 'films'): Sent => ({ method: 'GET', path: `${table}?${raw(query)}` });

it('filters of any operator and value are answered or refused', async () => {
  const filter = fc
    .tuple(names, operators, values)
    .map(([name, operator, value]) => get(`${name}=${operator}.${value}`));
  await holdsForAll(filter, 150);
});

it('each parameter takes any text', async () => {
  const parameters = [
    'select',
    'order',
    'limit',
    'offset',
    'or',
    'and',
    'not.or',
    'columns',
    'on_conflict',
    'directors.order',
    'directors.or',
  ];
  const asked = fc
    .tuple(fc.constantFrom(...parameters), values, names, fc.boolean())
    .map(([parameter, value, name, embeds]) =>
      get(`${parameter}=${value}&${embeds ? 'select=*,directors(*)' : `${name}=is.null`}`),
    );
  await holdsForAll(asked, 150);
});

it('select and order made of pieces that are right come out right or are refused', async () => {
  const { item } = fc.letrec<{ item: string }>((tie) => ({
    item: fc.oneof(
      { maxDepth: 4 },
      names,
      fc
        .tuple(
          names,
          fc.constantFrom('->', '->>', '::', ':', '.'),
          fc.oneof(names, fc.constantFrom('0', 'text', 'count()', 'sum()', 'max()::int')),
        )
        .map((parts) => parts.join('')),
      fc
        .tuple(
          fc.constantFrom('', '...', 'x:'),
          names,
          fc.constantFrom('', '!inner', '!left', '!id', '!__proto__'),
          fc.array(tie('item'), { maxLength: 3 }),
        )
        .map(([before, name, hint, items]) => `${before}${name}${hint}(${items.join()})`),
    ),
  }));
  const asked = fc
    .tuple(
      fc.array(item, { maxLength: 4 }),
      names,
      fc.constantFrom('', '.desc', '.nullsfirst', '.asc.nullslast', '(id)'),
    )
    .map(([items, order, direction]) => get(`select=${items.join()}&order=${order}${direction}`));
  await holdsForAll(asked, 150);
});

it('trees of conditions of any shape are answered or refused', async () => {
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      fc.tuple(names, operators, values).map((parts) => parts.join('.')),
      fc
        .tuple(
          fc.constantFrom('and', 'or', 'not.and', 'not.or', 'xor'),
          fc.array(tie('tree'), { maxLength: 3 }),
        )
        .map(([operator, trees]) => `${operator}(${trees.join()})`),
    ),
  }));
  await holdsForAll(
    fc.array(tree, { maxLength: 3 }).map((trees) => get(`or=(${trees.join()})`)),
    100,
  );
});

it('arguments called like what every object has are those of no function', async () => {
  for (const name of prototypeNames) {
    await isAnsweredInShape({ method: 'GET', path: `rpc/add?${name}=1` });
    await isAnsweredInShape({ method: 'GET', path: `rpc/${name}?a=1` });
    await isAnsweredInShape({ method: 'GET', path: `${name}?select=*` });
    await isAnsweredInShape({ method: 'GET', path: `films?select=${name}(*)&${name}.id=eq.1` });
  }
});

it.each([
  ['conditions', `or=${'(and'.repeat(4000)}(id.eq.1${')'.repeat(4001)}`],
  ['negations', `id=${'not.'.repeat(8000)}eq.1`],
  ['embedded tables', `select=${'directors('.repeat(4000)}*${')'.repeat(4000)}`],
  ['spread tables', `select=${'...directors('.repeat(3000)}*${')'.repeat(3000)}`],
  ['arrows', `select=info${'->a'.repeat(10_000)}`],
  ['brackets that nothing closes', `or=${'('.repeat(30_000)}`],
  ['quotes', `title=in.(${'"'.repeat(30_001)}`],
  ['lists in JSON', `info=cs.${'['.repeat(20_000)}`],
  ['objects in JSON', `or=(info.cs.${'{"a":'.repeat(2000).replaceAll('"', '\\"').replace(/^/, '"')}1")`],
  ['dimensions of an array', `tags=cs.${'{'.repeat(20)}1${'}'.repeat(20)}`],
  ['brackets of a search', `title=fts.${'('.repeat(20_000)}`],
  ['negations of a search', `title=fts.${'!'.repeat(20_000)}a`],
  ['groups of a pattern', `title=match.${'('.repeat(5000)}a${')'.repeat(5000)}`],
  ['wildcards', `title=like.${'*_'.repeat(5000)}`],
  ['names of a path', `rpc/${'a'.repeat(20_000)}?a=1`],
  ['backslashes', `title=in.("${'%5C'.repeat(10_001)}`],
  ['values in a list', `id=in.(${Array.from({ length: 9000 }, (_, i) => i).join()})`],
  ['values in a list, one more than is allowed', `title=in.(${'a,'.repeat(10_000)}a)`],
  ['columns', `select=${Array.from({ length: 5000 }, () => 'id').join()}`],
  ['the same parameter', Array.from({ length: 4000 }, () => 'id=eq.1').join('&')],
  ['parameters of other names', Array.from({ length: 4000 }, (_, i) => `c${i}=eq.1`).join('&')],
  ['orders', `order=${'id,'.repeat(10_000)}id`],
])('many %s are answered or refused', async (_, query) => {
  await isAnsweredInShape(get(query));
});

it('a query of the greatest length is read, and a longer one refused', async () => {
  const longestBytes = 48 * 1024;
  const filter = (bytes: number) => get(`title=eq.${'x'.repeat(bytes - 'title=eq.'.length)}`);
  expect((await answerTo(filter(longestBytes))).status).toBe(200);
  expect((await answerTo(filter(longestBytes + 1))).status).toBe(400);
});

it('a list of a million values is refused before it is read', async () => {
  const response = answerTo(get(`id=in.(${Array.from({ length: 1_000_000 }, (_, i) => i).join()})`));
  // Node.js may cut off who goes on sending, before the answer is read.
  const status = await response.then(
    ({ status: code }) => code,
    () => 'cut off',
  );
  expect([400, 414, 431, 'cut off']).toContain(status);
  expect((await answerTo(get('select=id&id=eq.1'))).text).toBe('[{"id":1}]');
});

it.each([
  ['a NUL', 'title=eq.%00'],
  ['a NUL in a name', 'ti%00tle=eq.a'],
  ['a NUL in JSON', 'info=cs.{"a":"\\u0000"}'],
  ['bytes that are no UTF-8', 'title=eq.%ff'],
  ['half of a character', 'title=eq.%c3'],
  ['an overlong code', 'title=eq.%c0%80'],
  ['half of a pair of surrogates', 'title=eq.%ed%a0%80'],
])('refuses text that PostgreSQL cannot hold: %s', async (_, query) => {
  const { status, text } = await answerTo({
    method: 'GET',
    path: `films?${query.replaceAll(/["{}\\]/g, encodeURIComponent)}`,
  });
  expect({ status, code: (JSON.parse(text) as { code: string }).code }).toEqual({
    status: 400,
    code: expect.stringMatching(/^(PGRST100|22P05|22P02)$/),
  });
});

it.each(['%', '%2', '%zz', '%%25', 'a%', '%u0041'])(
  'a percent sign that begins no code (%s) stands for itself',
  async (text) => {
    const { status } = await answerTo({ method: 'GET', path: `films?title=eq.${text}` });
    expect(status).toBe(200);
  },
);

it('a parameter that is there twice is two conditions, and of select, columns and on_conflict the first counts', async () => {
  const { text } = await answerTo({ method: 'GET', path: 'films?id=gt.1&id=lt.3&select=id&select=title' });
  expect(text).toBe('[{"id":2}]');
});

it('none of these has changed the database', async () => {
  await isUnchanged();
});

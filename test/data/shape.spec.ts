import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { TestServer } from '../support/server.js';
import { getJson, startFestival } from './festival.js';

// Whatever shape a request gives to the same rows, they are the same: what is spread is what would be embedded.

let server: TestServer;

beforeAll(async () => {
  server = await startFestival({ PGRST_DB_AGGREGATES_ENABLED: 'true' });
});
afterAll(() => server.close());

interface Known {
  readonly columns: readonly string[];
  readonly toOne: Readonly<Record<string, string>>;
  readonly toMany: Readonly<Record<string, string>>;
}

/** Of each table some columns, and the tables that its relationships lead to. */
const known: Readonly<Record<string, Known>> = {
  films: {
    columns: ['id', 'title', 'year::text', 'info->country->>code', 'tags->0', 'headline', 'running'],
    toOne: { directors: 'directors', maker: 'directors', sequel: 'films', posters: 'posters' },
    toMany: { roles: 'roles', screenings: 'screenings', 'actors!roles': 'actors' },
  },
  directors: { columns: ['id', 'name', 'born'], toOne: {}, toMany: { films: 'films', works: 'films' } },
  screenings: {
    columns: ['id', 'sold', 'facts->late', 'takings'],
    toOne: { films: 'films', halls: 'halls' },
    toMany: {},
  },
  halls: {
    columns: ['id', 'name', 'facts', 'place->>lat'],
    toOne: {},
    toMany: { screenings: 'screenings', works: 'films' },
  },
  roles: { columns: ['film_id', 'character'], toOne: { films: 'films', actors: 'actors' }, toMany: {} },
  actors: { columns: ['id', 'name'], toOne: {}, toMany: { roles: 'roles' } },
  posters: { columns: ['film_id', 'url'], toOne: {}, toMany: {} },
};

interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  readonly embeds: readonly Embed[];
}

interface Embed {
  readonly relation: string;
  readonly toOne: boolean;
  readonly isSpread: boolean;
  readonly limit: number | undefined;
  readonly table: Table;
}

function tableOf(name: string, depth: number): fc.Arbitrary<Table> {
  const { columns, toOne, toMany } = known[name]!;
  const ways = depth === 0 ? [] : [...Object.entries(toOne), ...Object.entries(toMany)];
  return fc.record({
    name: fc.constant(name),
    columns: fc.subarray([...columns], { minLength: 1, maxLength: Math.min(3, columns.length) }),
    embeds: fc
      .subarray(ways, { maxLength: Math.min(2, ways.length) })
      .chain((chosen) =>
        fc.tuple(
          ...chosen.map(([relation, table]) => embedOf(relation, relation in toOne, table, depth - 1)),
        ),
      ),
  });
}

function embedOf(relation: string, toOne: boolean, table: string, depth: number): fc.Arbitrary<Embed> {
  return fc.record({
    relation: fc.constant(relation),
    toOne: fc.constant(toOne),
    isSpread: fc.boolean(),
    limit: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
    table: tableOf(table, depth),
  });
}

/** Every member has a name of its own, by where it stands. */
const columnName = (at: string, i: number) => `c${at}_${i}`;
const embedName = (at: string, i: number) => `e${at}_${i}`;
const below = (at: string, i: number) => `${at}${i}`;

function selectOf(table: Table, at: string, spreads: boolean): string {
  const columns = table.columns.map((column, i) => `${columnName(at, i)}:${column}`);
  const embeds = table.embeds.map(({ relation, isSpread, table: inner }, i) => {
    const start = spreads && isSpread ? '...' : `${embedName(at, i)}:`;
    return `${start}${relation}(${selectOf(inner, below(at, i), spreads)})`;
  });
  return [...columns, ...embeds].join(',');
}

/** Order and limit of each embedded table; what is spread goes by the name of its relation. */
function clausesOf(table: Table, at: string, path: string, spreads: boolean): string[] {
  return table.embeds.flatMap(({ relation, isSpread, limit, table: inner }, i) => {
    const name = spreads && isSpread ? relation.split('!')[0]! : embedName(at, i);
    const order = known[inner.name]!.columns.slice(0, 2).map((column) => column.split('::')[0]);
    return [
      `${path}${name}.order=${order.join(',')}`,
      ...(limit === undefined ? [] : [`${path}${name}.limit=${limit}`]),
      ...clausesOf(inner, below(at, i), `${path}${name}.`, spreads),
    ];
  });
}

type Row = Record<string, unknown>;

/** The names that a table's rows have when what is to be spread is spread. */
function namesOf(table: Table, at: string): string[] {
  const embeds = table.embeds.flatMap((embed, i) =>
    embed.isSpread ? namesOf(embed.table, below(at, i)) : [embedName(at, i)],
  );
  return [...table.columns.map((_, i) => columnName(at, i)), ...embeds];
}

/** Spreads by hand what came embedded. */
function spread(row: Row, table: Table, at: string): Row {
  const result: Row = Object.fromEntries(
    table.columns.map((_, i) => [columnName(at, i), row[columnName(at, i)]]),
  );
  table.embeds.forEach((embed, i) => {
    const given = row[embedName(at, i)];
    const inner = (one: Row) => spread(one, embed.table, below(at, i));
    const value = embed.toOne ? given && inner(given as Row) : (given as Row[]).map(inner);
    if (!embed.isSpread) result[embedName(at, i)] = value;
    else
      for (const name of namesOf(embed.table, below(at, i))) {
        result[name] = embed.toOne
          ? ((value as Row | null)?.[name] ?? null)
          : (value as Row[]).map((one) => one[name]);
      }
  });
  return result;
}

async function rowsOf(table: Table, spreads: boolean): Promise<Row[]> {
  const order = known[table.name]!.columns[0]!;
  const clauses = [`order=${order}`, ...clausesOf(table, '', '', spreads)].join('&');
  const path = `${table.name}?select=${encodeURIComponent(selectOf(table, '', spreads))}&${clauses}`;
  return (await getJson(server, path)) as Row[];
}

const anyTable = fc.constantFrom(...Object.keys(known)).chain((name) => tableOf(name, 3));

describe('what is spread', () => {
  it('is what would be embedded', async () => {
    await fc.assert(
      fc.asyncProperty(anyTable, async (table) => {
        const nested = await rowsOf(table, false);
        const expected = nested.map((row) => spread(row, table, ''));
        expect(await rowsOf(table, true)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });
});

/** The same text for the same value, in whatever order its members come. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

describe('what is grouped', () => {
  it('is each different row once, with how often it is there', async () => {
    await fc.assert(
      fc.asyncProperty(anyTable, async (table) => {
        const counts = new Map<string, number>();
        for (const row of await rowsOf(table, true)) {
          counts.set(canonical(row), (counts.get(canonical(row)) ?? 0) + 1);
        }
        const clauses = clausesOf(table, '', '', true).join('&');
        const select = encodeURIComponent(`how_often:count(),${selectOf(table, '', true)}`);
        const groups = (await getJson(server, `${table.name}?select=${select}&${clauses}`)) as Row[];
        const found = groups.map(({ how_often: count, ...row }) => [canonical(row), count] as const);
        expect(new Map(found)).toEqual(counts);
      }),
      { numRuns: 100 },
    );
  });
});

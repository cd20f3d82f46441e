import { describe, expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import type { ForeignKey } from './foreign-keys.js';
import { relationshipsOf } from './relationships.js';
import { nameKey, type ComputedRelationship, type Relationship } from './schema-cache.js';
import type { ViewColumn } from './views.sql.js';

const named = (name: string) => ({ schema: 'public', name });

function key(overrides: Partial<ForeignKey> & Pick<ForeignKey, 'constraint'>): ForeignKey {
  return {
    from: named('films'),
    to: named('directors'),
    columns: [['director_id', 'id']],
    isOneToOne: false,
    primaryKey: [],
    ...overrides,
  };
}

type Given = Partial<Parameters<typeof relationshipsOf>[0]>;

/** The ways from each table of schema `public`. */
function waysOf(given: Given): (table: string) => Relationship[] {
  const map = relationshipsOf({ keys: [], viewColumns: [], computed: [], ...given }, ['public']);
  return (table) => map.get(nameKey('public', table)) ?? [];
}

const isThroughJunction = (way: Relationship) => way.kind === 'key' && way.cardinality === 'many-to-many';

function viewColumn(view: string, column: string, table: string, tableColumn: string): ViewColumn {
  return { view: named(view), column, table: named(table), tableColumn };
}

describe('relationshipsOf', () => {
  it('leads both ways along a foreign key', () => {
    const from = waysOf({ keys: [key({ constraint: 'fk' })] });
    expect(from('films')).toMatchObject([{ cardinality: 'many-to-one', columns: [['director_id', 'id']] }]);
    expect(from('directors')).toMatchObject([
      { cardinality: 'one-to-many', columns: [['id', 'director_id']] },
    ]);
  });

  it('shows no table of a schema that is not exposed', () => {
    const from = waysOf({ keys: [key({ constraint: 'fk', to: { schema: 'auth', name: 'users' } })] });
    expect(from('films')).toEqual([]);
  });

  describe('through a junction', () => {
    const roles = named('roles');
    const film = key({ constraint: 'f', from: roles, to: named('films'), columns: [['film_id', 'id']] });
    const actor = key({ constraint: 'a', from: roles, to: named('actors'), columns: [['actor_id', 'id']] });
    const primaryKey = ['film_id', 'actor_id'];

    it('leads when its primary key holds both keys', () => {
      const from = waysOf({
        keys: [
          { ...film, primaryKey },
          { ...actor, primaryKey },
        ],
      });
      expect(from('films').filter(isThroughJunction)).toMatchObject([
        {
          to: { name: 'actors' },
          columns: [['id', 'film_id']],
          junction: { constraint: 'a', columns: [['actor_id', 'id']] },
        },
      ]);
    });

    it('does not lead when a key is no part of the primary key, or the only one of a row', () => {
      const apart = [film, { ...actor, primaryKey: ['actor_id'] }];
      expect(waysOf({ keys: apart })('films').some(isThroughJunction)).toBe(false);
      const unique = [
        { ...film, primaryKey, isOneToOne: true },
        { ...actor, primaryKey },
      ];
      expect(waysOf({ keys: unique })('films').some(isThroughJunction)).toBe(false);
    });

    it('leads through a view of it that shows the whole primary key', () => {
      const keys = [
        { ...film, primaryKey },
        { ...actor, primaryKey },
      ];
      const whole = [
        viewColumn('cast', 'f', 'roles', 'film_id'),
        viewColumn('cast', 'a', 'roles', 'actor_id'),
      ];
      const junctions = (viewColumns: ViewColumn[]) =>
        waysOf({ keys, viewColumns })('films')
          .filter(isThroughJunction)
          .map((way) => way.kind === 'key' && way.junction?.table.name);
      expect(junctions(whole)).toEqual(['roles', 'cast']);
      expect(junctions(whole.slice(1))).toEqual(['roles']);
    });
  });

  it('lets views stand in for their tables when they show all columns of the key', () => {
    const viewColumns = [
      viewColumn('film_list', 'by', 'films', 'director_id'),
      viewColumn('film_names', 'title', 'films', 'title'),
      viewColumn('people', 'number', 'directors', 'id'),
    ];
    const from = waysOf({ keys: [key({ constraint: 'fk' })], viewColumns });
    expect(from('film_list')).toMatchObject([
      { to: { name: 'directors' }, columns: [['by', 'id']], toIsView: false },
      { to: { name: 'people' }, columns: [['by', 'number']], toIsView: true },
    ]);
    expect(from('film_names')).toEqual([]);
  });

  it('gives a view a key for each way in which it repeats the columns', () => {
    const viewColumns = [
      viewColumn('film_list', 'first', 'films', 'director_id'),
      viewColumn('film_list', 'second', 'films', 'director_id'),
    ];
    expect(waysOf({ keys: [key({ constraint: 'fk' })], viewColumns })('film_list')).toMatchObject([
      { columns: [['first', 'id']] },
      { columns: [['second', 'id']] },
    ]);
  });

  it('takes no more than so many repeated keys of one view', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const columns = names.map((name) => [name, name] as const);
    const viewColumns = names.flatMap((name) =>
      names.map((copy) => viewColumn('film_list', `${name}_${copy}`, 'films', name)),
    );
    const from = waysOf({ keys: [key({ constraint: 'fk', columns })], viewColumns });
    expect(from('film_list')).toHaveLength(limits.repeatedKeys);
  });

  it('lets a function stand above the keys that lead to the table of its name', () => {
    const computed = (name: string): ComputedRelationship => ({
      kind: 'computed',
      from: named('films'),
      to: named('directors'),
      function: named(name),
      toOne: true,
    });
    const keys = [key({ constraint: 'fk' })];
    expect(waysOf({ keys, computed: [computed('directors')] })('films')).toMatchObject([
      { kind: 'computed' },
    ]);
    expect(waysOf({ keys, computed: [computed('maker')] })('films')).toMatchObject([
      { kind: 'key' },
      { kind: 'computed' },
    ]);
  });
});

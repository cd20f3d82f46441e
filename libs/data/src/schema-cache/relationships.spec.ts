import { describe, expect, it } from '@jest/globals';
import type { ForeignKey } from './keys.sql.js';
import { relationshipsOf } from './relationships.js';
import { nameKey } from './schema-cache.js';

function key(overrides: Partial<ForeignKey> & Pick<ForeignKey, 'constraint'>): ForeignKey {
  return {
    from: { schema: 'public', name: 'films' },
    to: { schema: 'public', name: 'directors' },
    columns: [['director_id', 'id']],
    isOneToOne: false,
    isInPrimaryKey: false,
    ...overrides,
  };
}

const from = (map: ReturnType<typeof relationshipsOf>, table: string) =>
  map.get(nameKey('public', table)) ?? [];

describe('relationshipsOf', () => {
  it('leads both ways along a foreign key', () => {
    const map = relationshipsOf([key({ constraint: 'fk' })], [], ['public']);
    expect(from(map, 'films')).toMatchObject([
      { cardinality: 'many-to-one', columns: [['director_id', 'id']] },
    ]);
    expect(from(map, 'directors')).toMatchObject([
      { cardinality: 'one-to-many', columns: [['id', 'director_id']] },
    ]);
  });

  it('shows no table of a schema that is not exposed', () => {
    const hidden = key({ constraint: 'fk', to: { schema: 'auth', name: 'users' } });
    expect(relationshipsOf([hidden], [], ['public']).size).toBe(0);
  });

  it('leads through a junction whose primary key holds both keys', () => {
    const roles = { schema: 'public', name: 'roles' };
    const film = key({
      constraint: 'f',
      from: roles,
      to: { schema: 'public', name: 'films' },
      columns: [['film_id', 'id']],
    });
    const actor = key({
      constraint: 'a',
      from: roles,
      to: { schema: 'public', name: 'actors' },
      columns: [['actor_id', 'id']],
    });
    const joined = relationshipsOf(
      [
        { ...film, isInPrimaryKey: true },
        { ...actor, isInPrimaryKey: true },
      ],
      [],
      ['public'],
    );
    expect(from(joined, 'films').filter((r) => r.cardinality === 'many-to-many')).toMatchObject([
      {
        to: { name: 'actors' },
        columns: [['id', 'film_id']],
        junction: { constraint: 'a', columns: [['actor_id', 'id']] },
      },
    ]);
    const apart = relationshipsOf([film, { ...actor, isInPrimaryKey: true }], [], ['public']);
    expect(from(apart, 'films').some((r) => r.cardinality === 'many-to-many')).toBe(false);
  });

  it('lets views stand in for their tables when they show all columns of the key', () => {
    const column = (view: string, name: string, table: string, tableColumn: string) => ({
      view: { schema: 'public', name: view },
      column: name,
      table: { schema: 'public', name: table },
      tableColumn,
    });
    const views = [
      column('film_list', 'by', 'films', 'director_id'),
      column('film_names', 'title', 'films', 'title'),
      column('people', 'number', 'directors', 'id'),
    ];
    const map = relationshipsOf([key({ constraint: 'fk' })], views, ['public']);
    expect(from(map, 'film_list').map((r) => [r.to.name, r.columns, r.toIsView])).toEqual([
      ['directors', [['by', 'id']], false],
      ['people', [['by', 'number']], true],
    ]);
    expect(from(map, 'film_names')).toEqual([]);
  });
});

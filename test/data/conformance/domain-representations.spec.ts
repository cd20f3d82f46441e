import { beforeAll, describe } from '@jest/globals';
import { withLibrary } from './library.js';

const { shows, server } = withLibrary({ PGRST_DB_AGGREGATES_ENABLED: 'true' });
const representation = { prefer: 'return=representation' };

// A colour is kept as a number and shown as #rrggbb; a weight has casts for showing alone.
beforeAll(async () => {
  await server().project.database.query(`
    create domain colour as int;
    create function colour_to_json(colour) returns json language sql immutable as
      $$ select to_json('#' || lpad(to_hex($1), 6, '0')) $$;
    create function colour_of_text(text) returns colour language sql immutable as
      $$ select ('x' || lpad(ltrim($1, '#'), 8, '0'))::bit(32)::int $$;
    create function colour_of_json(json) returns colour language sql immutable as
      $$ select colour_of_text($1 #>> '{}') $$;
    create cast (colour as json) with function colour_to_json(colour) as implicit;
    create cast (text as colour) with function colour_of_text(text) as implicit;
    create cast (json as colour) with function colour_of_json(json) as implicit;
    create domain weight as int;
    create function weight_to_json(weight) returns json language sql immutable as $$ select to_json($1 || ' g') $$;
    create cast (weight as json) with function weight_to_json(weight) as implicit;
    create table inks (id int primary key, shade colour, weight weight);
    insert into inks values (1, 255, 40), (2, 65280, 50);
    create table pens (id int primary key, ink_id int references inks (id));
    insert into pens values (1, 2);
  `);
});

describe('a domain with a cast to json', () => {
  shows([
    [
      'is answered by it',
      {
        request: 'inks?order=id',
        answer: [
          { id: 1, shade: '#0000ff', weight: '40 g' },
          { id: 2, shade: '#00ff00', weight: '50 g' },
        ],
      },
    ],
    [
      'is answered by it in an embedded table',
      { request: 'pens?select=inks(shade)', answer: [{ inks: { shade: '#00ff00' } }] },
    ],
    [
      'keeps the key that an embedded table is found by',
      {
        request: 'inks?select=shade,pens(id)&order=id',
        answer: [
          { shade: '#0000ff', pens: [] },
          { shade: '#00ff00', pens: [{ id: 1 }] },
        ],
      },
    ],
    ['is not aggregated', { request: 'inks?select=shade.max()', status: 404, answer: { code: '42883' } }],
  ]);
});

describe('a filter of a domain', () => {
  shows([
    ['is read by its cast from text', { request: 'inks?select=id&shade=eq.%23ff00', answer: [{ id: 2 }] }],
    [
      'without such a cast is read as what it is kept as',
      { request: 'inks?select=id&weight=eq.40', answer: [{ id: 1 }] },
    ],
  ]);
});

describe('a body with a domain', () => {
  shows([
    [
      'is read by its cast from json',
      {
        request: 'POST inks?select=shade',
        headers: representation,
        body: { id: 3, shade: '#ff0000' },
        status: 201,
        answer: [{ shade: '#ff0000' }],
      },
    ],
    [
      'is read by it for an update, too',
      {
        request: 'PATCH inks?id=eq.1&select=shade',
        headers: representation,
        body: { shade: '#010203' },
        answer: [{ shade: '#010203' }],
      },
    ],
    [
      'without such a cast is read as what it is kept as',
      {
        request: 'POST inks?select=weight',
        headers: representation,
        body: { id: 3, weight: 7 },
        status: 201,
        answer: [{ weight: '7 g' }],
      },
    ],
  ]);
});

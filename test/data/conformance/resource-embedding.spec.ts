import { describe, expect, it } from '@jest/globals';
import { ask, withLibrary } from './library.js';

const { shows, server } = withLibrary();
const representation = { prefer: 'return=representation' };

describe('an embedded table', () => {
  shows([
    [
      'is an object for many-to-one',
      { request: 'books?select=authors(name)&id=eq.1', answer: [{ authors: { name: 'Lem' } }] },
    ],
    [
      'is an array for one-to-many',
      {
        request: 'authors?select=books(id)&id=eq.2&books.order=id',
        answer: [{ books: [{ id: 2 }, { id: 3 }] }],
      },
    ],
    [
      'is an object for one-to-one',
      { request: 'books?select=jackets(colour)&id=eq.1', answer: [{ jackets: { colour: 'blue' } }] },
    ],
    [
      'is an object for one-to-one by a unique key, too',
      { request: 'members?select=cards(code)&id=eq.1', answer: [{ cards: { code: 'A7' } }] },
    ],
    [
      'is found by a key of several columns',
      { request: 'repairs?select=work,copies(number)', answer: [{ work: 'spine', copies: { number: 2 } }] },
    ],
    [
      'goes through a junction whose key has more columns',
      { request: 'authors?select=members(name)&id=eq.2', answer: [{ members: [{ name: 'Bob' }] }] },
    ],
    [
      'is an array for many-to-many',
      {
        request: 'books?select=members(name)&id=eq.1&members.order=id',
        answer: [{ members: [{ name: 'Ann' }, { name: 'Bob' }] }],
      },
    ],
    [
      'has a name of its own',
      { request: 'books?select=by:authors(name)&id=eq.1', answer: [{ by: { name: 'Lem' } }] },
    ],
    [
      'may be named by the foreign key column',
      { request: 'books?select=author_id(name)&id=eq.1', answer: [{ author_id: { name: 'Lem' } }] },
    ],
    [
      'nests',
      {
        request: 'members?select=loans(fee,books(title))&id=eq.2',
        answer: [{ loans: [{ fee: 2, books: { title: 'Solaris' } }] }],
      },
    ],
    [
      'is that of a view',
      { request: 'old_books?select=authors(name)', answer: [{ authors: { name: 'Lem' } }] },
    ],
    [
      'is that of a function',
      {
        request: 'rpc/books_of?country=PL&select=members(id)&members.order=id',
        answer: [{ members: [{ id: 1 }, { id: 2 }] }],
      },
    ],
    [
      'is given back with a new row',
      {
        request: 'POST books?select=authors(name)',
        headers: representation,
        body: { id: 9, title: 'X', author_id: 1 },
        status: 201,
        answer: [{ authors: { name: 'Lem' } }],
      },
    ],
    [
      'without a relationship is refused',
      { request: 'books?select=moments(at)', status: 400, answer: { code: 'PGRST200' } },
    ],
  ]);

  it('keeps JSON as it was written', async () => {
    const { body } = await ask(server(), 'authors?select=letters(body)&id=eq.1');
    // Not by length, as jsonb orders keys.
    expect(JSON.stringify(body)).toBe('[{"letters":[{"body":{"longer":1,"b":2,"a":3}}]}]');
  });
});

describe('inside an embedded table', () => {
  shows([
    [
      'rows are ordered',
      {
        request: 'authors?select=books(id)&id=eq.2&books.order=year',
        answer: [{ books: [{ id: 3 }, { id: 2 }] }],
      },
    ],
    [
      'rows are filtered, and the rows outside stay',
      {
        request: 'authors?select=id,books(id)&id=lt.3&order=id&books.year=in.(1961,1)',
        answer: [
          { id: 1, books: [{ id: 1 }] },
          { id: 2, books: [] },
        ],
      },
    ],
    [
      'rows are filtered by a tree',
      {
        request: 'authors?select=books(id)&id=eq.2&books.or=(year.eq.1971,year.eq.1)',
        answer: [{ books: [{ id: 3 }] }],
      },
    ],
    [
      'rows are limited',
      {
        request: 'authors?select=books(id)&id=eq.2&books.order=id&books.limit=1&books.offset=1',
        answer: [{ books: [{ id: 3 }] }],
      },
    ],
    [
      'rows are filtered by the name of the table also under an alias',
      {
        request: 'authors?select=all:books(id)&id=eq.2&books.year=lt.1973',
        answer: [{ all: [{ id: 3 }] }],
        answerHeaders: { warning: null },
      },
    ],
    [
      'rows are filtered under each alias',
      {
        request:
          'authors?select=early:books(id),late:books(id)&id=eq.2&early.year=lt.1973&late.year=gte.1973',
        answer: [{ early: [{ id: 3 }], late: [{ id: 2 }] }],
      },
    ],
    [
      'rows of nested tables are filtered and ordered',
      {
        request: 'members?select=loans(books(id))&id=eq.1&loans.order=book_id&loans.books.year=lt.1970',
        answer: [{ loans: [{ books: { id: 1 } }, { books: null }] }],
      },
    ],
  ]);
});

describe('rows', () => {
  shows([
    [
      'without partners are left out by !inner',
      {
        request: 'authors?select=id,books!inner(id)&books.year=eq.1971',
        answer: [{ id: 2, books: [{ id: 3 }] }],
      },
    ],
    [
      'with partners are those where the embedded is not null',
      { request: 'authors?select=id,books()&books=not.is.null&order=id', answer: [{ id: 1 }, { id: 2 }] },
    ],
    [
      'without partners are those where the embedded is null',
      { request: 'authors?select=id,books()&books=is.null', answer: [{ id: 3 }] },
    ],
    [
      'are chosen by a tree across embedded tables',
      {
        request: 'books?select=id,authors(),jackets()&or=(jackets.not.is.null,authors.is.null)&order=id',
        answer: [{ id: 1 }, { id: 4 }],
      },
    ],
    [
      'are chosen by what embedded tables hold, and show all of them',
      {
        request:
          'books?select=id,a:authors(),j:jackets(),authors(name)&a.country=eq.US&j.colour=eq.blue&or=(a.not.is.null,j.not.is.null)&order=id',
        answer: [
          { id: 1, authors: { name: 'Lem' } },
          { id: 2, authors: { name: 'Le Guin' } },
          { id: 3, authors: { name: 'Le Guin' } },
        ],
      },
    ],
    [
      'are filtered by what is embedded empty',
      { request: 'books?select=id,authors!inner()&authors.country=eq.PL', answer: [{ id: 1 }] },
    ],
    [
      'are ordered by a to-one table',
      {
        request: 'books?id=lt.4&select=id,authors()&order=authors(name).desc,id',
        answer: [{ id: 1 }, { id: 2 }, { id: 3 }],
      },
    ],
    [
      'cannot be ordered by a to-many table',
      { request: 'authors?select=id,books(id)&order=books(id)', status: 400, answer: { code: 'PGRST118' } },
    ],
    [
      'cannot be ordered by a table that is not embedded',
      { request: 'books?order=authors(name)', status: 400, answer: { code: 'PGRST108' } },
    ],
    [
      'cannot be filtered by a table that is not embedded',
      { request: 'books?authors.name=eq.Lem', status: 400, answer: { code: 'PGRST108' } },
    ],
  ]);
});

describe('a spread table', () => {
  shows([
    [
      'lifts the columns of a to-one table',
      { request: 'books?select=id,...authors(author:name)&id=eq.1', answer: [{ id: 1, author: 'Lem' }] },
    ],
    [
      'makes arrays of the columns of a to-many table',
      { request: 'authors?select=...books(id)&id=eq.2&books.order=id', answer: [{ id: [2, 3] }] },
    ],
    [
      'orders its arrays',
      { request: 'authors?select=...books(id)&id=eq.2&books.order=year', answer: [{ id: [3, 2] }] },
    ],
    [
      'lifts the columns of a junction',
      {
        request: 'members?select=id,loans(fee,...books(title))&id=eq.2',
        answer: [{ id: 2, loans: [{ fee: 2, title: 'Solaris' }] }],
      },
    ],
  ]);
});

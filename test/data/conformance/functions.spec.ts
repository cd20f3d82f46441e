import { describe } from '@jest/globals';
import { withLibrary } from './library.js';

const { shows } = withLibrary();
const typed = (type: string) => ({ headers: { 'content-type': type } });

describe('a call', () => {
  shows([
    [
      'by POST takes arguments from an object',
      { request: 'POST rpc/add_them', body: { a: 1, b: 2 }, answer: 3 },
    ],
    ['by GET takes arguments from the query', { request: 'rpc/add_them?a=1&b=2', answer: 3 }],
    ['by HEAD has no body', { request: 'HEAD rpc/add_them?a=1&b=2', answer: undefined }],
    ['may leave out what has a default', { request: 'rpc/greet', answer: 'Hello guest' }],
    [
      'names functions and parameters in the case they have',
      { request: 'rpc/someFunc?someParam=x', answer: 'x' },
    ],
    [
      'takes an array of objects for a json parameter',
      { request: 'POST rpc/count_items', body: { items: [{ a: 1 }, { a: 2 }] }, answer: 2 },
    ],
    [
      'gives the body to a single unnamed json parameter',
      { request: 'POST rpc/sum_of', body: { x: 4, y: 2 }, answer: 6 },
    ],
    [
      'gives text to a single unnamed text parameter',
      { request: 'POST rpc/text_length', ...typed('text/plain'), body: 'hello', answer: 5 },
    ],
    [
      'gives bytes to a single unnamed bytea parameter',
      {
        request: 'POST rpc/byte_length',
        ...typed('application/octet-stream'),
        body: new Uint8Array([0, 255, 10]),
        answer: 3,
      },
    ],
    [
      'gives XML to a single unnamed xml parameter',
      { request: 'POST rpc/xml_root', ...typed('text/xml'), body: '<shelf/>', answer: 'shelf' },
    ],
    ['takes an array by POST', { request: 'POST rpc/plus_one', body: { list: [1, 2] }, answer: [2, 3] }],
    ['takes an array literal by GET', { request: 'rpc/plus_one?list=%7B1,2%7D', answer: [2, 3] }],
    [
      'takes an array for a variadic parameter',
      { request: 'POST rpc/plus_all', body: { v: [1, 2] }, answer: [2, 3] },
    ],
    ['takes a repeated variadic parameter by GET', { request: 'rpc/plus_all?v=1&v=2', answer: [2, 3] }],
    [
      'takes a repeated variadic parameter from a form',
      {
        request: 'POST rpc/plus_all',
        ...typed('application/x-www-form-urlencoded'),
        body: 'v=1&v=2',
        answer: [2, 3],
      },
    ],
    [
      'falls back on an overload with a single unnamed json parameter',
      { request: 'POST rpc/measured', body: { b: 1 }, answer: 'json' },
    ],
    [
      'of an overload whose parameters fit needs no such fallback',
      { request: 'POST rpc/measured', body: { a: 1 }, answer: 'int' },
    ],
    [
      'is of no procedure',
      { request: 'POST rpc/proceed', body: {}, status: 404, answer: { code: 'PGRST202' } },
    ],
    [
      'of what returns nothing has no body',
      { request: 'POST rpc/vary', body: {}, status: 204, answer: undefined },
    ],
    [
      'chooses among overloads by their parameters',
      { request: 'rpc/lent_days?member=1&since=2026-01-01', answer: 2 },
    ],
    ['of an overload with fewer parameters', { request: 'rpc/lent_days?member=1', answer: 1 }],
    [
      'of a function that is not there is 404',
      {
        request: 'rpc/nothing_like_it',
        status: 404,
        answer: {
          code: 'PGRST202',
          message:
            'Could not find the function public.nothing_like_it without parameters in the schema cache',
        },
      },
    ],
    [
      'of a function that writes is refused by GET',
      { request: 'rpc/lose_books', status: 405, answer: { code: '25006' } },
    ],
    [
      'by another verb is refused',
      { request: 'PATCH rpc/greet', body: {}, status: 405, answer: { code: 'PGRST101' } },
    ],
  ]);
});

describe('rows of a function', () => {
  const records = [
    { id: 1, name: 'Ann' },
    { id: 2, name: 'Bob' },
  ];
  shows([
    ['are an array of objects', { request: 'rpc/books_of?country=PL&select=id', answer: [{ id: 1 }] }],
    [
      'are filtered by columns not selected',
      { request: 'rpc/books_of?country=US&select=id&title=like.*Heaven', answer: [{ id: 3 }] },
    ],
    [
      'are ordered and limited',
      { request: 'rpc/books_of?country=US&select=id&order=id.desc&limit=1', answer: [{ id: 3 }] },
    ],
    [
      'embed other tables',
      {
        request: 'rpc/books_of?country=PL&select=id,authors(name)',
        answer: [{ id: 1, authors: { name: 'Lem' } }],
      },
    ],
    [
      'are counted',
      {
        request: 'rpc/books_of?country=US',
        headers: { prefer: 'count=exact' },
        answerHeaders: { 'content-range': '0-1/2' },
      },
    ],
    [
      'are filtered by POST, too',
      {
        request: 'POST rpc/books_of?select=id&title=like.*Heaven',
        body: { country: 'US' },
        answer: [{ id: 3 }],
      },
    ],
    [
      'that are untyped are whole, whatever is selected',
      { request: 'rpc/records?select=id', answer: records },
    ],
    ['may be untyped', { request: 'rpc/records', answer: records }],
  ]);
});

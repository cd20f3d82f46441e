import { describe } from '@jest/globals';
import { withLibrary } from './library.js';

const { shows } = withLibrary();
const accept = (type: string) => ({ headers: { accept: type } });

describe('the answer', () => {
  shows([
    [
      'is JSON where anything may be',
      {
        request: 'authors?id=eq.1',
        ...accept('*/*'),
        answerHeaders: { 'content-type': 'application/json; charset=utf-8' },
      },
    ],
    [
      'is JSON where that is asked for',
      {
        request: 'authors?select=id&id=eq.1',
        ...accept('application/json'),
        answer: [{ id: 1 }],
        answerHeaders: { 'content-type': 'application/json; charset=utf-8' },
      },
    ],
    [
      'is CSV where that is asked for',
      {
        request: 'authors?order=id',
        ...accept('text/csv'),
        answer: 'id,name,country\n1,Lem,PL\n2,"Le Guin",US\n3,Nemo,',
        answerHeaders: { 'content-type': 'text/csv; charset=utf-8' },
      },
    ],
    [
      'of a function is CSV, too',
      {
        request: 'rpc/books_of?country=PL&select=id,title',
        ...accept('text/csv'),
        answer: 'id,title\n1,Solaris',
      },
    ],
    [
      'is the first type of several that can be written',
      {
        request: 'authors?select=id&id=eq.1',
        ...accept('image/png, text/csv, application/json'),
        answerHeaders: { 'content-type': 'text/csv; charset=utf-8' },
      },
    ],
    [
      'is refused for unknown types',
      {
        request: 'authors',
        ...accept('unknown/unknown'),
        status: 406,
        answer: {
          code: 'PGRST107',
          details: null,
          hint: null,
          message: 'None of these media types are available: unknown/unknown',
        },
      },
    ],
  ]);
});

describe('one object', () => {
  const object = accept('application/vnd.pgrst.object+json');
  shows([
    [
      'stands alone',
      {
        request: 'authors?id=eq.1',
        ...object,
        answer: { id: 1, name: 'Lem', country: 'PL' },
        answerHeaders: { 'content-type': 'application/vnd.pgrst.object+json; charset=utf-8' },
      },
    ],
    [
      'needs no suffix in its type',
      {
        request: 'authors?select=id&id=eq.1',
        ...accept('application/vnd.pgrst.object'),
        answer: { id: 1 },
      },
    ],
    [
      'is written of what a change gives',
      {
        request: 'PATCH authors?id=eq.1&select=name',
        headers: { ...object.headers, prefer: 'return=representation' },
        body: { name: 'X' },
        answer: { name: 'X' },
      },
    ],
    [
      'refuses a change of several rows, and undoes it',
      {
        request: 'PATCH authors?id=gt.0&select=name',
        headers: { ...object.headers, prefer: 'return=representation' },
        body: { name: 'X' },
        status: 406,
        answer: { code: 'PGRST116', details: 'The result contains 3 rows' },
      },
    ],
    [
      'cannot be made of no row',
      {
        request: 'authors?id=eq.99',
        ...object,
        status: 406,
        answer: {
          code: 'PGRST116',
          message: 'Cannot coerce the result to a single JSON object',
          details: 'The result contains 0 rows',
          hint: null,
        },
      },
    ],
    [
      'cannot be made of several rows',
      {
        request: 'authors',
        ...object,
        status: 406,
        answer: { code: 'PGRST116', details: 'The result contains 3 rows' },
      },
    ],
    [
      'leaves nulls out with nulls=stripped',
      {
        request: 'authors?id=eq.3',
        ...accept('application/vnd.pgrst.object+json;nulls=stripped'),
        answer: { id: 3, name: 'Nemo' },
      },
    ],
  ]);
});

describe('an array', () => {
  shows([
    [
      'leaves nulls out with nulls=stripped',
      {
        request: 'authors?id=eq.3',
        ...accept('application/vnd.pgrst.array+json;nulls=stripped'),
        answer: [{ id: 3, name: 'Nemo' }],
        answerHeaders: { 'content-type': 'application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8' },
      },
    ],
  ]);
});

describe('a body', () => {
  shows([
    [
      'of an update may be a form',
      {
        request: 'PATCH authors?id=eq.1',
        headers: { 'content-type': 'application/x-www-form-urlencoded', prefer: 'return=representation' },
        body: 'name=Stanis%C5%82aw',
        answer: [{ id: 1, name: 'Stanisław', country: 'PL' }],
      },
    ],
    [
      'of an update may be CSV',
      {
        request: 'PATCH authors?id=eq.1&select=name',
        headers: { 'content-type': 'text/csv', prefer: 'return=representation' },
        body: 'name\nX',
        answer: [{ name: 'X' }],
      },
    ],
    [
      'of another type is refused',
      {
        request: 'POST authors',
        headers: { 'content-type': 'image/png' },
        body: 'x',
        status: 400,
        answer: { code: 'PGRST102' },
      },
    ],
  ]);
});

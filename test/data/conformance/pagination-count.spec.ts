import { describe, expect } from '@jest/globals';
import { withLibrary } from './library.js';

const { shows } = withLibrary({ PGRST_DB_MAX_ROWS: '3' });
const range = (value: string) => ({ 'content-range': value });

describe('a range of rows', () => {
  shows([
    ['is told in every answer', { request: 'authors', answerHeaders: range('0-2/*') }],
    [
      'is chosen by limit and offset',
      {
        request: 'authors?select=id&order=id&limit=1&offset=1',
        answer: [{ id: 2 }],
        answerHeaders: range('1-1/*'),
      },
    ],
    [
      'is chosen by Range',
      {
        request: 'authors?select=id&order=id',
        headers: { 'range-unit': 'items', range: '0-1' },
        answer: [{ id: 1 }, { id: 2 }],
        answerHeaders: range('0-1/*'),
      },
    ],
    [
      'may be longer than what is there',
      { request: 'authors', headers: { range: '0-19' }, answerHeaders: range('0-2/*') },
    ],
    [
      'may have no end',
      {
        request: 'authors?select=id&order=id',
        headers: { range: '1-' },
        answer: [{ id: 2 }, { id: 3 }],
        answerHeaders: range('1-2/*'),
      },
    ],
    ['of nothing is told by a star', { request: 'authors?id=eq.99', answerHeaders: range('*/*') }],
    [
      'behind the last row is refused when rows are counted',
      {
        request: 'authors?offset=10',
        headers: { prefer: 'count=exact' },
        status: 416,
        answer: {
          code: 'PGRST103',
          message: 'Requested range not satisfiable',
          details: 'An offset of 10 was requested, but there are only 3 rows.',
          hint: null,
        },
        answerHeaders: range('*/3'),
      },
    ],
    [
      'with a negative offset begins at the first row',
      { request: 'authors?offset=-1', answerHeaders: range('0-2/*') },
    ],
    [
      'with a negative limit is refused',
      {
        request: 'authors?limit=-1',
        status: 416,
        answer: { code: 'PGRST103', details: 'Limit should be greater than or equal to zero.' },
      },
    ],
    [
      'of max-rows is the longest',
      { request: 'books?select=id&order=id', answer: [{ id: 1 }, { id: 2 }, { id: 3 }] },
    ],
  ]);
});

describe('a count', () => {
  const count = (kind: string) => ({ headers: { prefer: `count=${kind}` } });
  shows([
    ['that is exact', { request: 'authors', ...count('exact'), answerHeaders: range('0-2/3') }],
    [
      'that is exact is 206 for a part',
      { request: 'authors?limit=2', ...count('exact'), status: 206, answerHeaders: range('0-1/3') },
    ],
    [
      'by HEAD has no rows',
      {
        request: 'HEAD authors?limit=2',
        ...count('exact'),
        status: 206,
        answer: undefined,
        answerHeaders: range('0-1/3'),
      },
    ],
    ['of a view', { request: 'old_books', ...count('exact'), answerHeaders: range('0-0/1') }],
    [
      'of a function',
      {
        request: 'rpc/books_of?country=US&limit=1',
        ...count('exact'),
        status: 206,
        answerHeaders: range('0-0/2'),
      },
    ],
    [
      'that is estimated is exact up to max-rows',
      { request: 'authors?limit=1', ...count('estimated'), status: 206, answerHeaders: range('0-0/3') },
    ],
    [
      'that is planned is what the planner thinks',
      {
        request: 'HEAD loan_days?limit=1',
        ...count('planned'),
        status: 206,
        answerHeaders: { 'content-range': expect.stringMatching(/^0-0\/\d+$/) as never },
      },
    ],
  ]);
});

import { describe } from '@jest/globals';
import { withLibrary } from './library.js';

const { shows } = withLibrary({ PGRST_DB_AGGREGATES_ENABLED: 'true' });

describe('an aggregate', () => {
  shows([
    ['sum', { request: 'loans?select=fee.sum()', answer: [{ sum: 6.5 }] }],
    ['avg', { request: 'books?select=year.avg()::int', answer: [{ avg: 1969 }] }],
    ['min', { request: 'loans?select=fee.min()', answer: [{ min: 1.5 }] }],
    ['max', { request: 'loans?select=fee.max()', answer: [{ max: 3 }] }],
    [
      'stands beside others under names of their own',
      { request: 'loans?select=most:fee.max(),least:fee.min()', answer: [{ most: 3, least: 1.5 }] },
    ],
    ['is over filtered rows', { request: 'loans?select=fee.sum()&book_id=eq.1', answer: [{ sum: 3.5 }] }],
    [
      'is grouped by the columns beside it',
      {
        request: 'loans?select=fee.sum(),day&order=day',
        answer: [
          { sum: 1.5, day: '2026-01-02' },
          { sum: 5, day: '2026-01-03' },
        ],
      },
    ],
    ['counts rows', { request: 'books?select=count()', answer: [{ count: 4 }] }],
    [
      'counts values that are not null',
      { request: 'books?select=years:year.count(),count()', answer: [{ years: 3, count: 4 }] },
    ],
    ['counts by the old name without brackets', { request: 'books?select=count', answer: [{ count: 4 }] }],
    ['casts what it is of', { request: 'books?select=facts->pages::numeric.sum()', answer: [{ sum: 775 }] }],
    ['is cast itself', { request: 'loans?select=fee.sum()::int', answer: [{ sum: 7 }] }],
    [
      'is grouped by an embedded table',
      {
        request: 'loans?select=fee.sum(),members(name)&member_id=eq.1',
        answer: [{ sum: 4.5, members: { name: 'Ann' } }],
      },
    ],
    [
      'is grouped by a spread table',
      {
        request: 'loans?select=fee.sum(),...members(name)&order=members(name)',
        answer: [
          { sum: 4.5, name: 'Ann' },
          { sum: 2, name: 'Bob' },
        ],
      },
    ],
    [
      'stands inside an embedded table',
      {
        request: 'members?select=name,loans(fee.sum())&order=id',
        answer: [
          { name: 'Ann', loans: [{ sum: 4.5 }] },
          { name: 'Bob', loans: [{ sum: 2 }] },
        ],
      },
    ],
    [
      'of a spread to-one table is made where it arrives',
      {
        request: 'loans?select=day,...books(year.max())&order=day',
        answer: [
          { day: '2026-01-02', max: 1961 },
          { day: '2026-01-03', max: 1974 },
        ],
      },
    ],
    [
      'in a spread to-many table is refused',
      { request: 'members?select=...loans(fee.sum())', status: 400, answer: { code: 'PGRST127' } },
    ],
  ]);
});

import { describe, expect } from '@jest/globals';
import { withLibrary } from './library.js';

const { shows } = withLibrary({ PGRST_DB_TX_END: 'rollback-allow-override' });
const prefer = (value: string) => ({ headers: { prefer: value } });
const applied = (value: string | null) => ({ 'preference-applied': value });

describe('handling', () => {
  shows([
    [
      'strict refuses preferences that nobody knows',
      {
        request: 'authors',
        ...prefer('handling=strict, foo, bar'),
        status: 400,
        answer: {
          code: 'PGRST122',
          message: 'Invalid preferences given with handling=strict',
          details: 'Invalid preferences: foo, bar',
          hint: null,
        },
      },
    ],
    [
      'lenient passes over them',
      {
        request: 'authors',
        ...prefer('handling=lenient, foo, bar'),
        answerHeaders: applied('handling=lenient'),
      },
    ],
    ['is lenient by default', { request: 'authors', ...prefer('foo, bar'), answerHeaders: applied(null) }],
  ]);
});

describe('timezone', () => {
  const request = 'moments?select=at';
  shows([
    [
      'may be a name',
      {
        request,
        ...prefer('timezone=America/Los_Angeles'),
        answer: [{ at: '2026-01-01T04:00:00-08:00' }],
        answerHeaders: applied('timezone=America/Los_Angeles'),
      },
    ],
    [
      'may be an offset',
      {
        request,
        ...prefer('timezone=05:30'),
        answer: [{ at: expect.stringMatching(/[+-]05:30$/) }],
        answerHeaders: applied('timezone=05:30'),
      },
    ],
    [
      'may be a negative offset',
      {
        request,
        ...prefer('timezone=-03:00'),
        answer: [{ at: expect.stringMatching(/[+-]03:00$/) }],
        answerHeaders: applied('timezone=-03:00'),
      },
    ],
    [
      'that does not exist is refused, strict or not',
      { request, ...prefer('timezone=Jupiter/Red_Spot'), status: 400, answer: { code: '22023' } },
    ],
  ]);
});

describe('return', () => {
  const body = { id: 9, name: 'X' };
  shows([
    [
      'minimal has no body',
      {
        request: 'POST authors',
        body,
        ...prefer('return=minimal'),
        status: 201,
        answer: undefined,
        answerHeaders: applied('return=minimal'),
      },
    ],
    [
      'headers-only says where the new row is',
      {
        request: 'POST authors',
        body,
        ...prefer('return=headers-only'),
        status: 201,
        answer: undefined,
        answerHeaders: { location: '/authors?id=eq.9', ...applied('return=headers-only') },
      },
    ],
    [
      'representation gives the row',
      {
        request: 'POST authors',
        body,
        ...prefer('return=representation'),
        status: 201,
        answer: [{ ...body, country: null }],
        answerHeaders: applied('return=representation'),
      },
    ],
  ]);
});

describe('tx', () => {
  shows([
    [
      'rollback answers as if the change were kept',
      {
        request: 'POST authors?select=id',
        body: { id: 50, name: 'X' },
        ...prefer('tx=rollback, return=representation'),
        status: 201,
        answer: [{ id: 50 }],
        answerHeaders: applied('return=representation, tx=rollback'),
      },
    ],
    ['rollback keeps nothing', { request: 'authors?id=eq.50', answer: [] }],
    [
      'commit keeps the change',
      {
        request: 'POST authors',
        body: { id: 51, name: 'X' },
        ...prefer('tx=commit'),
        status: 201,
        answerHeaders: applied('tx=commit'),
      },
    ],
    ['commit has kept the change', { request: 'authors?select=id&id=eq.51', answer: [{ id: 51 }] }],
  ]);
});

describe('missing', () => {
  const body = [
    { id: 8, title: 'X' },
    { id: 9, title: 'Y', price: 1 },
  ];
  const request = 'POST books?columns=id,title,price&select=id,price';
  shows([
    [
      'is null by default',
      {
        request,
        body,
        ...prefer('return=representation'),
        status: 201,
        answer: [
          { id: 8, price: null },
          { id: 9, price: 1 },
        ],
      },
    ],
    [
      'default is the default of the column',
      {
        request,
        body,
        ...prefer('missing=default, return=representation'),
        status: 201,
        answer: [
          { id: 8, price: 9.5 },
          { id: 9, price: 1 },
        ],
        answerHeaders: applied('missing=default, return=representation'),
      },
    ],
    [
      'default does so for an update',
      {
        request: 'PATCH books?id=eq.1&columns=price&select=price',
        body: {},
        ...prefer('missing=default, return=representation'),
        answer: [{ price: 9.5 }],
      },
    ],
  ]);
});

describe('max-affected', () => {
  const refused = (rows: number) => ({
    status: 400,
    answer: {
      code: 'PGRST124',
      message: 'Query result exceeds max-affected preference constraint',
      details: `The query affects ${rows} rows`,
      hint: null,
    },
  });
  shows([
    [
      'refuses a change of more rows',
      { request: 'DELETE loans?fee=gt.0', ...prefer('handling=strict, max-affected=2'), ...refused(3) },
    ],
    [
      'lets a change of as many pass',
      { request: 'DELETE loans?fee=gt.0', ...prefer('handling=strict, max-affected=3'), status: 204 },
    ],
    [
      'is passed over without handling=strict',
      { request: 'DELETE loans?fee=gt.0', ...prefer('max-affected=2'), status: 204 },
    ],
    [
      'counts what a function returns',
      {
        request: 'POST rpc/lose_books',
        ...prefer('handling=strict, max-affected=2'),
        body: {},
        ...refused(3),
      },
    ],
    [
      'wants a function to return a set',
      {
        request: 'POST rpc/add_them',
        ...prefer('handling=strict, max-affected=2'),
        body: { a: 1, b: 2 },
        status: 400,
        answer: { code: 'PGRST128' },
      },
    ],
  ]);
});

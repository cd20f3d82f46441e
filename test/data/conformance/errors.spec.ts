import { describe, expect, it } from '@jest/globals';
import { withLibrary } from './library.js';

const { show, shows } = withLibrary();

describe('an error of PostgreSQL', () => {
  shows([
    [
      'is passed on with its code, message, details and hint',
      {
        request: 'POST books',
        body: { id: 9 },
        status: 400,
        answer: {
          code: '23502',
          details: expect.stringMatching(/^Failing row contains/),
          hint: null,
          message: 'null value in column "title" of relation "books" violates not-null constraint',
        },
      },
    ],
    [
      'of a foreign key is 409',
      {
        request: 'POST books',
        body: { id: 9, title: 'X', author_id: 99 },
        status: 409,
        answer: { code: '23503' },
      },
    ],
    [
      'of a unique key is 409',
      { request: 'POST authors', body: { id: 1, name: 'X' }, status: 409, answer: { code: '23505' } },
    ],
    [
      'of a read-only transaction is 405',
      { request: 'rpc/lose_books', status: 405, answer: { code: '25006' } },
    ],
    [
      'raised by a function is 400',
      {
        request: 'POST rpc/just_fail',
        body: {},
        status: 400,
        answer: { code: 'P0001', message: 'I refuse', details: 'a detail', hint: 'a hint' },
      },
    ],
    [
      'of a right that is missing is 401 to strangers',
      { request: 'POST rpc/not_allowed', body: {}, status: 401, answer: { code: '42501' } },
    ],
    [
      'tells its code in Proxy-Status',
      {
        request: 'POST rpc/just_fail',
        body: {},
        status: 400,
        answerHeaders: { 'proxy-status': 'PostgREST; error=P0001' },
      },
    ],
  ]);
});

describe('the status of an error of PostgreSQL', () => {
  const statuses: [state: string, status: number][] = [
    ['08006', 503],
    ['09000', 500],
    ['0L000', 403],
    ['0P000', 403],
    ['23503', 409],
    ['23505', 409],
    ['25006', 405],
    ['25000', 500],
    ['28000', 403],
    ['2D000', 500],
    ['38000', 500],
    ['39000', 500],
    ['3B000', 500],
    ['40001', 500],
    ['53400', 500],
    ['53100', 503],
    ['54000', 500],
    ['55000', 500],
    ['57014', 500],
    ['58000', 500],
    ['F0000', 500],
    ['HV000', 500],
    ['P0001', 400],
    ['P0002', 500],
    ['XX000', 500],
    ['42883', 404],
    ['42P01', 404],
    ['42P17', 500],
    ['42501', 401],
    ['22012', 400],
  ];
  it.each(statuses)('%s', (state, status) =>
    show({ request: 'POST rpc/raise_state', body: { state }, status, answer: { code: state } }),
  );
});

describe('an error that a function writes', () => {
  shows([
    [
      'has the status of its SQLSTATE PTxyz',
      {
        request: 'POST rpc/raise_state',
        body: { state: 'PT402' },
        status: 402,
        answer: { code: 'PT402', message: 'raised', details: null, hint: null },
      },
    ],
    [
      'is its own whole answer with SQLSTATE PGRST',
      {
        request: 'POST rpc/raise_whole',
        body: {
          message: '{"code":"123","message":"Too late","details":"a","hint":"b"}',
          detail: '{"status":419,"status_text":"Late","headers":{"X-Own":"yes"}}',
        },
        status: 419,
        answer: { code: '123', message: 'Too late', details: 'a', hint: 'b' },
        answerHeaders: { 'x-own': 'yes', 'proxy-status': 'PostgREST; error=123' },
      },
    ],
    [
      'that cannot be read is PGRST121',
      {
        request: 'POST rpc/raise_whole',
        body: { message: 'no json', detail: '{"status":402,"headers":{}}' },
        status: 500,
        answer: { code: 'PGRST121', details: "Invalid JSON value for MESSAGE: 'no json'" },
      },
    ],
  ]);
});

describe('an error of the API', () => {
  const refused = (status: number, code: string) => ({ status, answer: { code } });
  const put = { body: { id: 1, name: 'X', country: null } };
  shows([
    ['PGRST100: a query that cannot be read', { request: 'books?id=1', ...refused(400, 'PGRST100') }],
    ['PGRST101: a verb for a function', { request: 'DELETE rpc/greet', ...refused(405, 'PGRST101') }],
    [
      'PGRST102: a body that cannot be read',
      {
        request: 'POST authors',
        headers: { 'content-type': 'application/json' },
        body: '{',
        ...refused(400, 'PGRST102'),
      },
    ],
    ['PGRST103: a range', { request: 'authors?limit=-1', ...refused(416, 'PGRST103') }],
    ['PGRST105: a PUT without the key', { request: 'PUT authors', ...put, ...refused(405, 'PGRST105') }],
    [
      'PGRST106: a schema',
      { request: 'authors', headers: { 'accept-profile': 'x' }, ...refused(406, 'PGRST106') },
    ],
    [
      'PGRST107: a media type',
      { request: 'authors', headers: { accept: 'x/y' }, ...refused(406, 'PGRST107') },
    ],
    [
      'PGRST108: a filter of what is not embedded',
      { request: 'books?authors.id=eq.1', ...refused(400, 'PGRST108') },
    ],
    [
      'PGRST109: a limit of a change without an order',
      { request: 'DELETE loans?limit=1', ...refused(400, 'PGRST109') },
    ],
    [
      'PGRST111: headers that are none',
      { request: 'POST rpc/headers', body: { list: '{}' }, ...refused(500, 'PGRST111') },
    ],
    [
      'PGRST112: a status that is none',
      { request: 'POST rpc/status', body: { code: 'x' }, ...refused(500, 'PGRST112') },
    ],
    [
      'PGRST114: a PUT with a limit',
      { request: 'PUT authors?id=eq.1&limit=1', ...put, ...refused(400, 'PGRST114') },
    ],
    [
      'PGRST115: a PUT of another key',
      { request: 'PUT authors?id=eq.2', ...put, ...refused(400, 'PGRST115') },
    ],
    [
      'PGRST116: not one row',
      {
        request: 'authors',
        headers: { accept: 'application/vnd.pgrst.object+json' },
        ...refused(406, 'PGRST116'),
      },
    ],
    ['PGRST117: a verb', { request: 'PROPFIND authors', ...refused(405, 'PGRST117') }],
    [
      'PGRST118: an order by many',
      { request: 'authors?select=books(id)&order=books(id)', ...refused(400, 'PGRST118') },
    ],
    [
      'none of PGRST120: an operator of an embedded table is one of a column',
      { request: 'books?select=id,authors()&authors=eq.1', ...refused(400, '42703') },
    ],
    [
      'PGRST122: a preference',
      { request: 'authors', headers: { prefer: 'handling=strict,x' }, ...refused(400, 'PGRST122') },
    ],
    ['PGRST123: aggregates that are off', { request: 'books?select=count()', ...refused(400, 'PGRST123') }],
    [
      'PGRST124: more rows than wanted',
      {
        request: 'DELETE loans?fee=gt.0',
        headers: { prefer: 'handling=strict,max-affected=1' },
        ...refused(400, 'PGRST124'),
      },
    ],
    ['PGRST125: a path', { request: 'a/b', ...refused(404, 'PGRST125') }],
    ['PGRST200: a relationship', { request: 'books?select=nothing(*)', ...refused(400, 'PGRST200') }],
    ['PGRST202: a function', { request: 'rpc/nothing', ...refused(404, 'PGRST202') }],
    [
      'PGRST204: a column',
      { request: 'POST authors?columns=nothing', body: {}, ...refused(400, 'PGRST204') },
    ],
    [
      'PGRST205: a table',
      {
        request: 'authorz',
        status: 404,
        answer: { code: 'PGRST205', hint: "Perhaps you meant the table 'public.authors'" },
      },
    ],
    [
      'PGRST301: a token',
      { request: 'authors', headers: { authorization: 'Bearer x.y.z' }, ...refused(401, 'PGRST301') },
    ],
    [
      'tells its code in Proxy-Status',
      { request: 'authorz', status: 404, answerHeaders: { 'proxy-status': 'PostgREST; error=PGRST205' } },
    ],
  ]);
});

import { describe, expect, it } from '@jest/globals';
import { withLibrary, type Exchange } from './library.js';

const { show, shows } = withLibrary();

/** A filter and the numbers of the books that it leaves. */
type Filtered = [title: string, filter: string, ids: number[]];

describe('a filter', () => {
  const filters: Filtered[] = [
    ['is a condition on a column', 'year=lt.1970', [1]],
    ['beside others must hold with them', 'year=gte.1971&lent=is.false', [2]],
    ['eq', 'year=eq.1961', [1]],
    ['neq', 'year=neq.1961', [2, 3]],
    ['gt', 'year=gt.1971', [2]],
    ['gte', 'year=gte.1971', [2, 3]],
    ['lt', 'year=lt.1971', [1]],
    ['lte', 'year=lte.1971', [1, 3]],
    ['like, with * for %', 'title=like.The*', [2, 3]],
    ['ilike, with * for %', 'title=ilike.the*', [2, 3]],
    ['like, with % itself', 'title=like.The%25', [2, 3]],
    ['match', 'title=match.^S.*s$', [1]],
    ['imatch', 'title=imatch.^s', [1]],
    ['in a list', 'id=in.(1,2,99)', [1, 2]],
    ['in a list of quoted values with commas', 'title=in.("Blank, \\"Book\\"","Solaris")', [1, 4]],
    ['is null', 'year=is.null', [4]],
    ['is not_null', 'year=is.not_null', [1, 2, 3]],
    ['is true', 'lent=is.true', [1]],
    ['is false', 'lent=is.false', [2]],
    ['is unknown', 'lent=is.unknown', [3, 4]],
    ['isdistinct', 'year=isdistinct.1961', [2, 3, 4]],
    ['fts', 'title=fts(english).dispossess', [2]],
    ['plfts', 'title=plfts(english).The%20Heaven%20Lathe', [3]],
    ['phfts', 'title=phfts(english).Lathe%20of%20Heaven', [3]],
    ['wfts', 'title=wfts(english).solaris%20or%20heaven', [1, 3]],
    ['not fts', 'title=not.fts(english).heaven', [1, 2, 4]],
    ['fts of JSON', 'facts=fts(simple).pl', [1]],
    ['cs of an array', 'tags=cs.{space,sea}', [1]],
    ['cs of JSON', 'facts=cs.{"lang":"en"}', [2, 3]],
    ['cd', 'tags=cd.{space,dream}', [2, 3, 4]],
    ['ov of ranges', 'span=ov.[5,12)', [1, 2]],
    ['ov of arrays', 'tags=ov.{sea,dream}', [1, 3]],
    ['sl', 'span=sl.[10,11)', [1]],
    ['sr', 'span=sr.[10,20)', [3]],
    ['nxr', 'span=nxr.[10,20)', [1, 2]],
    ['nxl', 'span=nxl.[10,20)', [2, 3]],
    ['adj', 'span=adj.[10,20)', [1, 3]],
    ['not', 'year=not.eq.1961', [2, 3]],
    ['or', 'or=(year.lt.1970,year.gt.1972)', [1, 2]],
    ['and in or', 'or=(id.eq.4,and(year.gte.1970,lent.is.false))', [2, 4]],
    ['not before and', 'not.and=(year.gte.1961,year.lte.1971)', [2]],
    ['not inside a tree', 'year=gte.1961&or=(id.eq.1,not.and(id.gte.1,id.lte.2))', [1, 3]],
    ['with quoted reserved characters in a tree', 'or=(span.adj."[10,20)",span.cs."[12,14]")', [1, 2, 3]],
    ['eq any', 'year=eq(any).{1961,1974}', [1, 2]],
    ['like any', 'title=like(any).{S*,*Heaven}', [1, 3]],
    ['like all', 'title=like(all).{The*,*n}', [3]],
    ['ilike any', 'title=ilike(any).{s*,*HEAVEN}', [1, 3]],
    ['gt all', 'year=gt(all).{1960,1971}', [2]],
    ['gte any', 'year=gte(any).{1971,1974}', [2, 3]],
    ['lt all', 'year=lt(all).{1974,1971}', [1]],
    ['lte any', 'year=lte(any).{1961,1971}', [1, 3]],
    ['match any', 'title=match(any).{^S,n$}', [1, 3]],
    ['imatch all', 'title=imatch(all).{^t,n$}', [3]],
    ['of JSON as text', 'facts->>lang=eq.pl', [1]],
    ['of JSON as a number', 'facts->pages=gt.200', [1, 2]],
    ['of a field of a composite', 'place->level=gte.2', [2]],
    ['of an element of an array', 'tags->>0=eq.dream', [3]],
  ];

  it.each(filters)('%s', async (_, filter, ids) => {
    await show({
      request: `books?select=id&order=id&${filter.replaceAll('"', '%22')}`,
      answer: ids.map((id) => ({ id })),
    });
  });
});

describe('select', () => {
  const exchanges: [string, Exchange][] = [
    ['leaves columns out', { request: 'authors?select=id&id=eq.1', answer: [{ id: 1 }] }],
    [
      'is all columns by default',
      { request: 'authors?id=eq.1', answer: [{ id: 1, name: 'Lem', country: 'PL' }] },
    ],
    ['renames a column', { request: 'authors?select=fullName:name&id=eq.1', answer: [{ fullName: 'Lem' }] }],
    [
      'reaches into JSON, as JSON and as text',
      {
        request: 'books?select=facts->>lang,facts->parts,facts->parts->0->>n&id=eq.1',
        answer: [{ lang: 'pl', parts: [{ n: 1 }, { n: 2 }], n: '1' }],
      },
    ],
    [
      'reaches into composites and arrays',
      {
        request: 'books?select=place->>room,place->level,first:tags->0&id=eq.1',
        answer: [{ room: 'A', level: 1, first: 'space' }],
      },
    ],
    ['casts a column', { request: 'books?select=price::text&id=eq.2', answer: [{ price: '12.5' }] }],
  ];
  shows(exchanges);

  it('is refused with a filter that casts', () =>
    show({ request: 'books?year::text=eq.1961', status: 400, answer: { code: 'PGRST100' } }));
});

describe('order', () => {
  const orders: [string, string, number[]][] = [
    ['goes by several columns and directions', 'place->>room.desc.nullslast,id.desc', [3, 2, 1, 4]],
    ['is ascending by default', 'year', [1, 3, 2, 4]],
    ['puts nulls first on request', 'year.nullsfirst', [4, 1, 3, 2]],
    ['puts nulls last on request', 'year.desc.nullslast', [2, 3, 1, 4]],
    ['goes by a field of a composite', 'place->>level.nullslast,id', [1, 3, 2, 4]],
    ['goes by a value in JSON', 'facts->pages.desc.nullslast', [2, 1, 3, 4]],
  ];
  it.each(orders)('%s', (_, order, ids) =>
    show({ request: `books?select=id&order=${order}`, answer: ids.map((id) => ({ id })) }),
  );
});

const representation = { prefer: 'return=representation' };

describe('reading', () => {
  const exchanges: [string, Exchange][] = [
    ['shows a view', { request: 'old_books?select=id', answer: [{ id: 1 }] }],
    ['has no nested routes', { request: 'books/1', status: 404, answer: { code: 'PGRST125' } }],
    [
      'by HEAD has the headers of GET and no body',
      { request: 'HEAD authors', answer: undefined, answerHeaders: { 'content-range': '0-2/*' } },
    ],
  ];
  shows(exchanges);
});

describe('inserting', () => {
  const exchanges: [string, Exchange][] = [
    [
      'answers 201 without a body',
      { request: 'POST authors', body: { id: 9, name: 'X' }, status: 201, answer: undefined },
    ],
    [
      'gives defaults to what an object leaves out',
      {
        request: 'POST books?select=id,price,tags',
        headers: representation,
        body: { id: 9, title: 'X' },
        status: 201,
        answer: [{ id: 9, price: 9.5, tags: [] }],
      },
    ],
    [
      'takes a form',
      {
        request: 'POST authors',
        headers: { ...representation, 'content-type': 'application/x-www-form-urlencoded' },
        body: 'id=9&name=John+Doe',
        status: 201,
        answer: [{ id: 9, name: 'John Doe', country: null }],
      },
    ],
    [
      'takes JSON in a JSON string for no rows',
      {
        request: 'POST authors',
        headers: { ...representation, 'content-type': 'application/json' },
        body: '"{}"',
        status: 201,
        answer: [],
      },
    ],
    [
      'takes many rows of JSON',
      {
        request: 'POST authors?select=id',
        headers: representation,
        body: [
          { id: 8, name: 'X' },
          { id: 9, name: 'Y' },
        ],
        status: 201,
        answer: [{ id: 8 }, { id: 9 }],
      },
    ],
    [
      'refuses rows of different keys',
      {
        request: 'POST authors',
        body: [{ id: 8, name: 'X' }, { id: 9 }],
        status: 400,
        answer: { code: 'PGRST102', message: 'All object keys must match', details: null, hint: null },
      },
    ],
    [
      'takes CSV, with NULL for null and nothing for empty text',
      {
        request: 'POST authors',
        headers: { ...representation, 'content-type': 'text/csv' },
        body: 'id,name,country\n8,,NULL\n9,Y,FR\n',
        status: 201,
        answer: [
          { id: 8, name: '', country: null },
          { id: 9, name: 'Y', country: 'FR' },
        ],
      },
    ],
    [
      'takes the named columns alone',
      {
        request: 'POST authors?columns=id,name',
        headers: representation,
        body: { id: 9, name: 'X', country: 'FR', extra: 1 },
        status: 201,
        answer: [{ id: 9, name: 'X', country: null }],
      },
    ],
    [
      'into a view with a trigger instead',
      {
        request: 'POST loan_notes?select=note',
        headers: representation,
        body: { note: 'late' },
        status: 201,
        answer: [{ note: 'late' }],
      },
    ],
    [
      'into a view that PostgreSQL can update',
      {
        request: 'POST old_books?select=id',
        headers: representation,
        body: { id: 9, title: 'X', year: 1 },
        status: 201,
        answer: [{ id: 9 }],
      },
    ],
  ];
  shows(exchanges);
});

describe('updating', () => {
  const exchanges: [string, Exchange][] = [
    [
      'answers 204 without a body',
      { request: 'PATCH books?year=lt.1970', body: { price: 1 }, status: 204, answer: undefined },
    ],
    [
      'gives back what it changed, columns chosen and others embedded',
      {
        request: 'PATCH books?id=eq.1&select=price,authors(name)',
        headers: representation,
        body: { price: 1 },
        answer: [{ price: 1, authors: { name: 'Lem' } }],
      },
    ],
    [
      'of no row answers an empty list',
      {
        request: 'PATCH books?id=eq.99',
        headers: representation,
        body: { price: 1 },
        answer: [],
      },
    ],
    [
      'takes the named columns alone, too',
      {
        request: 'PATCH books?id=eq.1&columns=price&select=price,year',
        headers: representation,
        body: { price: 1, year: 2 },
        answer: [{ price: 1, year: 1961 }],
      },
    ],
  ];
  shows(exchanges);
});

describe('upsert', () => {
  const merge = { prefer: 'resolution=merge-duplicates,return=representation' };
  const exchanges: [string, Exchange][] = [
    [
      'merges on the primary key',
      {
        request: 'POST authors?select=id,name',
        headers: merge,
        body: [
          { id: 1, name: 'X' },
          { id: 9, name: 'Y' },
        ],
        status: 201,
        answer: [
          { id: 1, name: 'X' },
          { id: 9, name: 'Y' },
        ],
      },
    ],
    [
      'leaves duplicates alone with ignore-duplicates',
      {
        request: 'POST authors?select=id',
        headers: { prefer: 'resolution=ignore-duplicates,return=representation' },
        body: [
          { id: 1, name: 'X' },
          { id: 9, name: 'Y' },
        ],
        status: 201,
        answer: [{ id: 9 }],
      },
    ],
    [
      'gives new surrogate keys with missing=default',
      {
        request: 'POST books?columns=id,title&select=id,title',
        headers: { prefer: 'resolution=merge-duplicates,missing=default,return=representation' },
        body: [{ id: 1, title: 'S' }, { title: 'New' }],
        status: 201,
        answer: [
          { id: 1, title: 'S' },
          { id: expect.any(Number), title: 'New' },
        ],
      },
    ],
    [
      'merges on other unique columns with on_conflict',
      {
        request: 'POST books?on_conflict=title&select=id,price',
        headers: merge,
        body: [{ title: 'Solaris', price: 1 }],
        answer: [{ id: 1, price: 1 }],
      },
    ],
    [
      'of one row by PUT answers it',
      {
        request: 'PUT authors?id=eq.9',
        headers: representation,
        body: { id: 9, name: 'X', country: null },
        status: 201,
        answer: [{ id: 9, name: 'X', country: null }],
      },
    ],
    [
      'by PUT wants all of the primary key with eq',
      {
        request: 'PUT authors?name=eq.Lem',
        body: { id: 1, name: 'X', country: null },
        status: 405,
        answer: { code: 'PGRST105' },
      },
    ],
  ];
  shows(exchanges);
});

describe('deleting', () => {
  const exchanges: [string, Exchange][] = [
    [
      'removes what the filters leave, 204',
      { request: 'DELETE loans?fee=lt.2', status: 204, answer: undefined },
    ],
    [
      'gives back what it removed, columns chosen and others embedded',
      {
        request: 'DELETE loans?book_id=eq.2&select=fee,members(name)',
        headers: representation,
        answer: [{ fee: 3, members: { name: 'Ann' } }],
      },
    ],
  ];
  shows(exchanges);
});

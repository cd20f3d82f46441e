import { describe, expect, it } from '@jest/globals';
import { acceptedMediaTypes, contentType, mediaTypeName, parseMediaType } from './media-type.js';

describe('Accept', () => {
  const names = (accept: string | undefined) => acceptedMediaTypes(accept).map(mediaTypeName);

  it.each<[string | undefined, string[]]>([
    [undefined, ['*/*']],
    ['', []],
    ['*/*', ['*/*']],
    ['APPLICATION/JSON', ['application/json']],
    ['text/html, text/csv;q=0.5, application/json; q=0.9', ['text/html', 'application/json', 'text/csv']],
    ['text/csv;q=0', ['text/csv']],
    ['*/*, image/*, image/png', ['image/png', 'image/*', '*/*']],
    ['a/b, a/b;level=1', ['a/b;level=1', 'a/b']],
    ['text/csv;q=high, a/b', ['text/csv', 'a/b']],
    ['Image/PNG', ['Image/PNG']],
    ['undefined', ['undefined']],
    ['application/vnd.pgrst.array', ['application/json']],
    ['application/vnd.pgrst.OBJECT', ['application/vnd.pgrst.object+json']],
    ['application/vnd.pgrst.nothing+json', ['application/vnd.pgrst.nothing+json']],
  ])('%j wants %j', (accept, expected) => {
    expect(names(accept)).toEqual(expected);
  });
});

describe('a media type', () => {
  it.each([
    ['application/json; charset=latin1', 'application/json; charset=utf-8'],
    ['application/json; $$ what=ever', 'application/json; charset=utf-8'],
    ['text/xml', 'text/xml; charset=utf-8'],
    ['application/octet-stream', 'application/octet-stream'],
    ['image/png', 'image/png'],
    [
      'application/vnd.pgrst.array+json;nulls=stripped',
      'application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8',
    ],
    [
      'application/vnd.pgrst.object; NULLS="stripped"',
      'application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8',
    ],
    ['application/vnd.pgrst.object;nulls=kept', 'application/vnd.pgrst.object+json; charset=utf-8'],
    ['application/vnd.pgrst.plan', 'application/vnd.pgrst.plan+text; for="application/json"; charset=utf-8'],
    [
      'application/vnd.pgrst.plan+json; for="image/png"; options=wal|analyze|nothing',
      'application/vnd.pgrst.plan+json; for="image/png"; options=analyze|wal; charset=utf-8',
    ],
  ])('%s is answered as %s', (text, expected) => {
    expect(contentType(parseMediaType(text))).toBe(expected);
  });
});

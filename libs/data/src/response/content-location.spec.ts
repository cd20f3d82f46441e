import { expect, it } from '@jest/globals';
import { contentLocation, locationOf } from './content-location.js';

it.each([
  ['', '/films'],
  ['b=eq.1&a=is.null', '/films?a=is.null&b=eq.1'],
  ['id=gt.1&id=lt.9', '/films?id=gt.1,lt.9'],
  ['or=(a.eq.1,b.eq.%C3%A9)&select=*', '/films?or=%28a.eq.1%2Cb.eq.%C3%A9%29&select=%2A'],
  ['t=eq.a+b', '/films?t=eq.a%20b'],
  ['apikey=secret&a=eq.1', '/films?a=eq.1'],
  ['apikey=secret', '/films'],
])('rows asked for by %j are at %s', (query, expected) => {
  expect(contentLocation('films', query)).toBe(expected);
});

it('names no address that clients would refuse with all headers', () => {
  expect(contentLocation('films', `a=eq.${'x'.repeat(4000)}`)).toBeDefined();
  expect(contentLocation('films', `a=eq.${'x'.repeat(5000)}`)).toBeUndefined();
});

it('finds a new row by its key', () => {
  const key = [
    ['a b', "Rock & R+ll's"],
    ['n', null],
  ] as const;
  expect(locationOf('films', key)).toBe('/films?a%20b=eq.Rock%20%26%20R%2Bll%27s&n=is.null');
});

import { expect, it } from '@jest/globals';
import { parseQueryString } from './query-string.js';

it.each([
  [
    'a=1&b=2&a=3',
    [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ],
  ],
  ['a=1+2%2B3', [['a', '1 2+3']]],
  ['%C3%A9=%c3%a9', [['é', 'é']]],
  ['a=like.%plan%', [['a', 'like.%plan%']]],
  [
    'a=50%&b=%2',
    [
      ['a', '50%'],
      ['b', '%2'],
    ],
  ],
  ['a=%2525', [['a', '%25']]],
  ['a&&=x', [['', 'x']]],
])('takes %s apart', (query, expected) => {
  expect(parseQueryString(query)).toEqual(expected);
});

it.each(['a=%ff', 'a=%00', 'a=\0'])('refuses %j, which PostgreSQL cannot store', (query) => {
  expect(() => parseQueryString(query)).toThrow(expect.objectContaining({ code: 'PGRST100' }));
});

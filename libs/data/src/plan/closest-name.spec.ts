import { expect, it } from '@jest/globals';
import { closestName } from './closest-name.js';

it.each([
  ['film', ['films', 'actors'], 'films'],
  ['FILMS', ['films'], 'films'],
  ['flims', ['films'], undefined],
  ['directors', ['director', 'directories'], 'director'],
  ['', ['films'], undefined],
  ['x'.repeat(10_000), ['films'], undefined],
])('%.20s among %j means %s', (name, candidates, expected) => {
  expect(closestName(name, candidates)).toBe(expected);
});

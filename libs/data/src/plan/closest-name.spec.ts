import { expect, it } from '@jest/globals';
import { closestName, leastSimilarity } from './closest-name.js';

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

it.each([
  ['film_rolls', 'film_roles'],
  ['directors_of_films', 'directors'],
  ['xyz', undefined],
])('%s means %s where the names may be seen anyway', (name, expected) => {
  expect(closestName(name, ['directors', 'film_roles'], leastSimilarity.related)).toBe(expected);
});

import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { overBudget } from './chain-budget.js';

it('a chain gets what its budget has left, the earliest first, and takes nothing from another', () => {
  const root = fc.constantFrom('a', 'b', null);
  const spent = fc.dictionary(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 8 }));
  fc.assert(
    fc.property(fc.array(root), spent, fc.integer({ min: 0, max: 6 }), (roots, spentBefore, budget) => {
      const refused = new Set(overBudget(roots, new Map(Object.entries(spentBefore)), budget));
      for (const one of ['a', 'b']) {
        const places = roots.flatMap((of, place) => (of === one ? [place] : []));
        const left = Math.max(0, budget - (spentBefore[one] ?? 0));
        expect(places.filter((place) => !refused.has(place))).toEqual(places.slice(0, left));
      }
      expect([...refused].every((place) => roots[place] !== null)).toBe(true);
    }),
  );
});

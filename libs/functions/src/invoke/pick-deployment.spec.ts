import { describe, expect, it } from '@jest/globals';
import { pickDeployment } from './pick-deployment.js';

const parts = [
  { number: 7, percent: 90 },
  { number: 8, percent: 10 },
];
const ids = Array.from({ length: 2000 }, (_, i) => `event-${i}`);

describe('the deployment of an event', () => {
  it('is the same each time', () => {
    for (const id of ids) expect(pickDeployment(parts, id)).toBe(pickDeployment(parts, id));
  });

  it('stays the same for those that a growing part had already', () => {
    const grown = [
      { number: 7, percent: 50 },
      { number: 8, percent: 50 },
    ];
    for (const id of ids) {
      if (pickDeployment(parts, id)!.number === 8) expect(pickDeployment(grown, id)!.number).toBe(8);
    }
  });

  it('is each by its percentage', () => {
    const share = ids.filter((id) => pickDeployment(parts, id)!.number === 8).length / ids.length;
    expect(share).toBeGreaterThan(0.07);
    expect(share).toBeLessThan(0.13);
  });
});

it('a call without an event meets each by its percentage', () => {
  const share = ids.filter(() => pickDeployment(parts, undefined)!.number === 8).length / ids.length;
  expect(share).toBeGreaterThan(0.06);
  expect(share).toBeLessThan(0.14);
});

it('nothing is picked of nothing, and one alone always', () => {
  expect(pickDeployment([], 'event')).toBeUndefined();
  expect(pickDeployment([{ percent: 100 }], undefined)).toEqual({ percent: 100 });
});

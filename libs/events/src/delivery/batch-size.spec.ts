import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fillBatch } from './batch-size.js';

const candidate = fc.record({ id: fc.uuid(), payloadBytes: fc.integer({ min: 0, max: 100 }) });

it('a batch has its leader, and those after it without a gap, within both bounds, and is full only when no more fit', () => {
  fc.assert(
    fc.property(candidate, fc.array(candidate), fc.integer({ min: 1, max: 20 }), (leader, others, size) => {
      const maxBytes = 200;
      const { ids, isFull } = fillBatch(leader, others, size, maxBytes);
      const members = [leader, ...others].slice(0, ids.length);
      expect(ids).toEqual(members.map(({ id }) => id));
      expect(ids.length).toBeLessThanOrEqual(size);
      const bytes = members.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0);
      expect(bytes <= maxBytes || ids.length === 1).toBe(true);
      const next = others[ids.length - 1];
      const fits = next !== undefined && ids.length < size && bytes + next.payloadBytes <= maxBytes;
      expect(fits).toBe(false);
      expect(isFull).toBe(ids.length === size || next !== undefined);
    }),
  );
});

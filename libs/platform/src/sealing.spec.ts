import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { OperatorError } from './errors/app-error.js';
import { Sealer } from './sealing.js';

describe('a sealed secret', () => {
  const sealer = new Sealer(randomBytes(32));

  it('opens under its own context', () => {
    expect(sealer.open(sealer.seal('päss', 'a'), 'a')).toBe('päss');
  });

  it('looks different each time', () => {
    expect(sealer.seal('x', 'a').equals(sealer.seal('x', 'a'))).toBe(false);
  });

  it.each([
    ['another context', (sealed: Buffer) => sealer.open(sealed, 'b')],
    ['another master key', (sealed: Buffer) => new Sealer(randomBytes(32)).open(sealed, 'a')],
    [
      'a changed byte',
      (sealed: Buffer) => sealer.open(sealed.fill(sealed.at(-1)! ^ 1, sealed.length - 1), 'a'),
    ],
  ])('does not open with %s', (_, open) => {
    expect(() => open(sealer.seal('x', 'a'))).toThrow(OperatorError);
  });

  it('derives the same secret for the same purpose only', () => {
    expect(sealer.derive('a', 16).equals(sealer.derive('a', 16))).toBe(true);
    expect(sealer.derive('a', 16).equals(sealer.derive('b', 16))).toBe(false);
  });
});

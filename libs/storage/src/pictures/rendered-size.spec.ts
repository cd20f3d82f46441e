import { describe, expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import { withBothSides } from './rendered-size.js';

describe('the size of a rendering', () => {
  it.each([
    ['of one side', { width: 400, height: 300 }, { width: 200 }, { width: 200, height: 150 }],
    ['within two sides', { width: 400, height: 300 }, { width: 200, height: 90 }, { width: 120, height: 90 }],
    ['that asks for more', { width: 400, height: 300 }, { width: 2000 }, { width: 400, height: 300 }],
    ['without sides', { width: 4000, height: 3000 }, {}, { width: 4000, height: 3000 }],
    ['of a very narrow picture', { width: 3, height: 30_000 }, { height: 100 }, { width: 1, height: 100 }],
  ])('%s is its own shape', (_, picture, sides, size) => {
    expect(withBothSides(picture, { ...sides, resize: 'contain' })).toEqual({ ...size, resize: 'fill' });
  });

  it.each([
    ['without sides', { width: 8000, height: 6000 }, {}],
    ['as wide as a tall picture is', { width: 1000, height: 50_000 }, { width: 2000 }],
  ])('%s is bounded', (_, picture, sides) => {
    const { width, height } = withBothSides(picture, sides);
    expect((width * height) / limits.renderedPixels).toBeCloseTo(1, 2);
    expect(width / height).toBeCloseTo(picture.width / picture.height, 2);
  });

  it('is what both sides say', () => {
    const transform = { width: 2000, height: 2000 };
    expect(withBothSides({ width: 8000, height: 6000 }, transform)).toEqual(transform);
  });
});

import { describe, expect, it } from '@jest/globals';
import { formatTransform, parseTransform, parseTransformText } from './transform.js';

describe('transformations', () => {
  it('reads a query and leaves other parameters alone', () => {
    expect(parseTransform({ width: '100', resize: 'contain', quality: '80', token: 'x' })).toEqual({
      width: 100,
      resize: 'contain',
      quality: 80,
    });
  });

  it('gives no more pixels than the limit', () => {
    expect(parseTransform({ width: '2500', height: 7 })).toEqual({ width: 2000, height: 7 });
  });

  it.each([
    [{ width: 'wide' }, 'width'],
    [{ height: '-1' }, 'height'],
    [{ height: '1.5' }, 'height'],
    [{ quality: '10' }, 'quality'],
    [{ resize: 'crop' }, 'resize'],
    [{ format: 'bmp' }, 'format'],
    [{ gravity: 'fp' }, 'gravity'],
  ])('refuses %j', (query, name) => {
    expect(() => parseTransform(query)).toThrow(
      expect.objectContaining({ code: 'InvalidRequest', message: expect.stringMatching(`^${name} must be`) }),
    );
  });

  it('keeps a transformation as text and back', () => {
    const transform = { width: 100, height: 50, resize: 'fill', format: 'webp' } as const;
    expect(formatTransform(transform)).toBe('width:100,height:50,resize:fill,format:webp');
    expect(parseTransformText(formatTransform(transform))).toEqual(transform);
    expect(formatTransform({})).toBe('');
  });
});

import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { PassThrough, Readable } from 'node:stream';
import { limits } from '../limits.js';
import { readBody, readJson } from './read-body.js';

describe('a request body', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is collected, and parsed where it is JSON', async () => {
    const body = () => Readable.from([Buffer.from('{"a"'), Buffer.from(':1}')]);
    expect((await readBody(body(), 100)).toString()).toBe('{"a":1}');
    expect(await readJson(body(), 100)).toEqual({ a: 1 });
    expect(await readJson(Readable.from([]), 100)).toEqual({});
  });

  it('is refused as soon as it is too long', async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(10);
      })(),
    );
    await expect(readBody(endless, 100)).rejects.toMatchObject({ code: 'body_too_large', status: 413 });
  });

  it('is refused when it does not arrive in time', async () => {
    jest.useFakeTimers();
    const body = new PassThrough();
    body.write('a part');
    const reading = readBody(body, 100);
    jest.advanceTimersByTime(limits.bodyMs);
    jest.useRealTimers();
    await expect(reading).rejects.toMatchObject({ code: 'body_too_slow', status: 408 });
    // The connection is still needed, to say so.
    expect(body.destroyed).toBe(false);
  });

  it('is refused when it stops once it takes up memory, and not while it is small', async () => {
    jest.useFakeTimers();
    const [large, small] = [new PassThrough({ highWaterMark: 1024 * 1024 }), new PassThrough()];
    const readings = [large, small].map((body) => readBody(body, limits.textBodyBytes));
    large.write(Buffer.alloc(limits.smallBodyBytes + 1));
    small.write('a part');
    await jest.advanceTimersByTimeAsync(limits.bodyPaceMs);
    large.write(Buffer.alloc(limits.bodyPaceBytes));
    await jest.advanceTimersByTimeAsync(limits.bodyPaceMs);
    large.write(Buffer.alloc(limits.bodyPaceBytes - 1));
    const refused = expect(readings[0]).rejects.toMatchObject({ code: 'body_too_slow', status: 408 });
    await jest.advanceTimersByTimeAsync(limits.bodyPaceMs);
    await refused;
    small.end(' and the rest');
    expect(String(await readings[1])).toBe('a part and the rest');
  });

  it('is refused while too many others arrive, unless it is small, until they are done', async () => {
    const others = new PassThrough({ highWaterMark: 2 * limits.heldBodyBytes });
    const reading = readBody(others, 2 * limits.heldBodyBytes);
    others.write(Buffer.alloc(limits.heldBodyBytes));
    await new Promise(setImmediate);
    const bodyOf = (sizeBytes: number) => readBody(Readable.from([Buffer.alloc(sizeBytes)]), 1024 * 1024);
    const large = () => bodyOf(limits.smallBodyBytes + 1);
    await expect(large()).rejects.toMatchObject({ code: 'too_busy', status: 503 });
    expect(await bodyOf(limits.smallBodyBytes)).toHaveLength(limits.smallBodyBytes);
    others.end();
    await reading;
    expect(await large()).toHaveLength(limits.smallBodyBytes + 1);
  });
});

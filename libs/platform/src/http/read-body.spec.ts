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

  it('is refused while too many others arrive, until they are done', async () => {
    const large = new PassThrough({ highWaterMark: 2 * limits.heldBodyBytes });
    const reading = readBody(large, 2 * limits.heldBodyBytes);
    large.write(Buffer.alloc(limits.heldBodyBytes));
    await new Promise(setImmediate);
    const small = () => readBody(Readable.from([Buffer.from('small')]), 100);
    await expect(small()).rejects.toMatchObject({ code: 'too_busy', status: 503 });
    large.end();
    await reading;
    expect((await small()).toString()).toBe('small');
  });
});

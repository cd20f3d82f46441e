import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { BytesMissing, objectKey, projectPrefix, type ObjectBytes } from '#libs/storage';

const unlimited = Number.MAX_SAFE_INTEGER;

async function* inChunks(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function* failingAfter(bytes: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += 64 * 1024) yield Buffer.alloc(64 * 1024, 1);
  throw new Error('the client went away');
}

/** What every adapter of {@link ObjectBytes} must do. */
export function objectBytesContract(
  open: () => Promise<{ bytes: ObjectBytes; close: () => Promise<void> }>,
): void {
  let bytes: ObjectBytes;
  let close: () => Promise<void>;
  // A project of its own for each run, so that a shared bucket does not matter.
  const project = `contract-${randomUUID()}`;
  const newKey = () => objectKey(project, randomUUID());
  const keysOf = async (prefix = projectPrefix(project)) => {
    const keys: string[] = [];
    for await (const { key } of bytes.list(prefix)) keys.push(key);
    return keys.toSorted();
  };

  beforeAll(async () => {
    ({ bytes, close } = await open());
  });
  afterAll(async () => {
    await bytes.remove(await keysOf());
    await close();
  });

  describe('write', () => {
    it('stores what it is given and tells its size and hash', async () => {
      const key = newKey();
      const content = randomBytes(200_000);
      const stored = await bytes.write(key, inChunks(content.subarray(0, 7), content.subarray(7)), unlimited);
      expect(stored).toEqual({
        sizeBytes: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
      });
      expect((await buffer(await bytes.read(key))).equals(content)).toBe(true);
    });

    it('stores an object of no bytes', async () => {
      const key = newKey();
      expect((await bytes.write(key, inChunks(), unlimited)).sizeBytes).toBe(0);
      expect((await buffer(await bytes.read(key))).length).toBe(0);
    });

    it('stores an object of many parts', async () => {
      const key = newKey();
      const megabyte = randomBytes(1024 * 1024);
      const { sizeBytes } = await bytes.write(key, inChunks(...Array(20).fill(megabyte)), unlimited);
      expect(sizeBytes).toBe(20 * 1024 * 1024);
      const read = await buffer(await bytes.read(key));
      expect(read.length).toBe(sizeBytes);
      expect(read.subarray(-megabyte.length).equals(megabyte)).toBe(true);
    });

    it.each([50_000, 20 * 1024 * 1024])(
      'leaves nothing when the source fails after %d bytes',
      async (size) => {
        const key = newKey();
        await expect(bytes.write(key, failingAfter(size), unlimited)).rejects.toThrow('the client went away');
        await expect(bytes.read(key)).rejects.toBeInstanceOf(BytesMissing);
        expect(await keysOf()).not.toContain(key);
      },
    );

    it.each([10, 10 * 1024 * 1024])('cuts off beyond %d bytes and leaves nothing', async (maxBytes) => {
      const key = newKey();
      const writing = bytes.write(key, inChunks(Buffer.alloc(maxBytes), Buffer.alloc(1)), maxBytes);
      await expect(writing).rejects.toMatchObject({ code: 'EntityTooLarge' });
      await expect(bytes.read(key)).rejects.toBeInstanceOf(BytesMissing);
    });

    it('takes an object of exactly the limit', async () => {
      expect((await bytes.write(newKey(), inChunks(Buffer.alloc(10)), 10)).sizeBytes).toBe(10);
    });
  });

  describe('read', () => {
    it('gives a range, both ends included', async () => {
      const key = newKey();
      await bytes.write(key, inChunks(Buffer.from('0123456789')), unlimited);
      expect((await buffer(await bytes.read(key, { start: 2, end: 4 }))).toString()).toBe('234');
      expect((await buffer(await bytes.read(key, { start: 9, end: 9 }))).toString()).toBe('9');
    });

    it('says when there are no bytes', async () => {
      await expect(bytes.read(newKey())).rejects.toBeInstanceOf(BytesMissing);
    });
  });

  it('copies a version so that either can be removed', async () => {
    const [from, to] = [newKey(), newKey()];
    await bytes.write(from, inChunks(Buffer.from('cat')), unlimited);
    await bytes.copy(from, to);
    await bytes.remove([from]);
    expect((await buffer(await bytes.read(to))).toString()).toBe('cat');
    await expect(bytes.copy(newKey(), newKey())).rejects.toBeInstanceOf(BytesMissing);
  });

  it('removes versions, and those that are gone count as removed', async () => {
    const [kept, removed] = [newKey(), newKey()];
    await bytes.write(kept, inChunks(Buffer.from('a')), unlimited);
    await bytes.write(removed, inChunks(Buffer.from('b')), unlimited);
    await bytes.remove([removed, newKey()]);
    await bytes.remove([removed]);
    await bytes.remove([]);
    const keys = await keysOf();
    expect(keys).toContain(kept);
    expect(keys).not.toContain(removed);
  });

  it('lists the versions of one project, with the time they were stored', async () => {
    const other = `contract-${randomUUID()}`;
    expect(await keysOf(projectPrefix(other))).toEqual([]);
    const keys = [objectKey(other, randomUUID()), objectKey(other, randomUUID())].toSorted();
    for (const key of keys) await bytes.write(key, inChunks(Buffer.from('x')), unlimited);
    expect(await keysOf(projectPrefix(other))).toEqual(keys);
    for await (const { storedAt } of bytes.list(projectPrefix(other))) {
      expect(Math.abs(Date.now() - storedAt.getTime())).toBeLessThan(60_000);
    }
    await bytes.remove(keys);
  });

  it('counts a copy as stored when it was copied', async () => {
    const [from, to] = [newKey(), newKey()];
    await bytes.write(from, inChunks(Buffer.from('x')), unlimited);
    const before = Date.now();
    await bytes.copy(from, to);
    for await (const { key, storedAt } of bytes.list(projectPrefix(project))) {
      // S3 tells whole seconds.
      if (key === to) expect(storedAt.getTime()).toBeGreaterThanOrEqual(before - 1000);
    }
  });

  it('removes nothing whole when it removes what is unfinished', async () => {
    const key = newKey();
    await bytes.write(key, inChunks(Buffer.from('x')), unlimited);
    await bytes.removeUnfinished(new Date(Date.now() + 60_000));
    expect((await buffer(await bytes.read(key))).toString()).toBe('x');
  });

  it('refuses keys that reach outside the store', async () => {
    const outside = async () => bytes.read(objectKey('../elsewhere', '../../etc/passwd'));
    await expect(outside).rejects.toBeInstanceOf(TypeError);
  });
}

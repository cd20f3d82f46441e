import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { openObjectBytes, sweepOrphanVersions } from '#libs/storage';
import { s3 } from '../support/environment.js';
import { startStorage, type StorageServer } from './storage-server.js';

const reason = 'no S3 was named: GALLEY_TEST_S3_ENDPOINT, …_ACCESS_KEY_ID, …_SECRET_ACCESS_KEY';

(s3 ? describe : describe.skip)(s3 ? 'storage on S3' : `storage on S3 (skipped: ${reason})`, () => {
  let server: StorageServer;
  beforeAll(async () => {
    server = await startStorage({
      S3_ENDPOINT: s3!.endpoint,
      S3_BUCKET: `galley-${randomUUID()}`, // A sweep takes what other runs stored.
      S3_ACCESS_KEY_ID: s3!.accessKeyId,
      S3_SECRET_ACCESS_KEY: s3!.secretAccessKey,
    });
  });
  afterAll(() => server.close());

  it('uploads, reads in parts, copies and removes', async () => {
    const bucket = server.admin.storage.from('site');
    const content = randomBytes(9_000_000);
    expect((await bucket.upload('big.bin', new Blob([content]))).error).toBeNull();
    expect((await bucket.copy('big.bin', 'copy.bin')).error).toBeNull();
    expect((await bucket.remove(['big.bin'])).error).toBeNull();
    const part = await server.fetch('/object/public/site/copy.bin', { headers: { range: 'bytes=8999990-' } });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(-10))).toBe(true);
    const whole = await bucket.download('copy.bin');
    expect(Buffer.from(await whole.data!.arrayBuffer()).equals(content)).toBe(true);
  });

  it('sweeps what no row names', async () => {
    const bytes = openObjectBytes(server.platform.config, server.platform.sealer);
    await server.admin.storage.from('site').upload('kept.txt', 'kept');
    await server.project.database.query(`delete from storage.objects where name = 'copy.bin'`);
    expect(await sweepOrphanVersions(server.project, bytes, -60_000)).toBeGreaterThanOrEqual(1);
    const { data } = await server.admin.storage.from('site').download('kept.txt');
    expect(await data!.text()).toBe('kept');
  });
});

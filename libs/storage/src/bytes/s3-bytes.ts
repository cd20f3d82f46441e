import { Client } from 'minio';
import type { Readable } from 'node:stream';
import type { Config } from '#libs/platform';
import type { ByteRange } from '../byte-range.js';
import { measure } from './measure.js';
import { BytesMissing, ObjectBytes, type StoredVersion } from './object-bytes.js';

/** What one upload holds in memory, twice at most; with S3's 10,000 parts an object may have 80 GiB. */
const partBytes = 8 * 1024 * 1024;
/** S3's own bound on one multi-object deletion. */
const keysPerRemoval = 1000;

/**
 * Object bytes in one bucket of S3 or MinIO, made at first use. All keys begin with the installation's own prefix: two
 * installations may share a bucket, and neither sweeps away what the other stored.
 */
export class S3ObjectBytes extends ObjectBytes {
  readonly #client: Client;
  readonly #bucket: string;
  readonly #region: string;
  #ready: Promise<void> | undefined;

  /** @param prefix of one installation; ends with a slash */
  constructor(
    settings: NonNullable<Config['s3']>,
    private readonly prefix: string,
  ) {
    super();
    const endpoint = new URL(settings.endpoint);
    const useSSL = endpoint.protocol === 'https:';
    this.#client = new Client({
      endPoint: endpoint.hostname,
      port: endpoint.port === '' ? (useSSL ? 443 : 80) : Number(endpoint.port),
      useSSL,
      region: settings.region,
      accessKey: settings.accessKeyId,
      secretKey: settings.secretAccessKey,
    });
    this.#bucket = settings.bucket;
    this.#region = settings.region;
  }

  override async write(
    key: string,
    chunks: AsyncIterable<Uint8Array>,
    maxBytes: number,
  ): Promise<StoredVersion> {
    const client = await this.#ensured();
    const measured = measure(chunks, maxBytes);
    const parts = inParts(measured.chunks);
    const first = await parts.next();
    const second = first.done ? first : await parts.next();
    if (second.done) await client.putObject(this.#bucket, this.prefix + key, first.value ?? Buffer.alloc(0));
    else await this.#writeInParts(this.prefix + key, [first.value!, second.value], parts);
    return measured.stored();
  }

  /** putObject could do this, but not notice when its source fails half way. */
  async #writeInParts(key: string, first: Buffer[], rest: AsyncGenerator<Buffer>): Promise<void> {
    const [client, bucketName] = [this.#client, this.#bucket];
    const uploadID = await client.initiateNewMultipartUpload(bucketName, key, {});
    const stored: { part: number; etag: string }[] = [];
    const store = async (part: Buffer) => {
      const partNumber = stored.length + 1;
      const upload = { bucketName, objectName: key, uploadID, partNumber, headers: {} };
      const { etag } = await client.uploadPart(upload, part);
      stored.push({ part: partNumber, etag });
    };
    try {
      for (const part of first) await store(part);
      for await (const part of rest) await store(part);
      await client.completeMultipartUpload(bucketName, key, uploadID, stored);
    } catch (error) {
      // The first error is the one to tell; an upload that cannot be aborted now is removed by the sweep.
      await client.abortMultipartUpload(bucketName, key, uploadID).catch(() => {});
      throw error;
    }
  }

  override async read(key: string, range?: ByteRange): Promise<Readable> {
    const client = await this.#ensured();
    try {
      return range
        ? await client.getPartialObject(
            this.#bucket,
            this.prefix + key,
            range.start,
            range.end - range.start + 1,
          )
        : await client.getObject(this.#bucket, this.prefix + key);
    } catch (error) {
      throw isNotFound(error) ? new BytesMissing(key, { cause: error }) : error;
    }
  }

  override async copy(from: string, to: string): Promise<void> {
    const client = await this.#ensured();
    try {
      await client.copyObject(this.#bucket, this.prefix + to, `/${this.#bucket}/${this.prefix}${from}`);
    } catch (error) {
      throw isNotFound(error) ? new BytesMissing(from, { cause: error }) : error;
    }
  }

  override async remove(keys: readonly string[]): Promise<void> {
    const client = await this.#ensured();
    for (let i = 0; i < keys.length; i += keysPerRemoval) {
      const some = keys.slice(i, i + keysPerRemoval).map((key) => this.prefix + key);
      const failed = await client.removeObjects(this.#bucket, some);
      const errors = failed.filter((result) => result?.Error);
      if (errors.length > 0) throw new Error(`S3 did not remove ${errors.length} objects`, { cause: errors });
    }
  }

  override async *list(prefix: string): AsyncGenerator<{ key: string; storedAt: Date }> {
    const client = await this.#ensured();
    for await (const item of client.listObjectsV2(this.#bucket, this.prefix + prefix, true)) {
      yield { key: item.name.slice(this.prefix.length), storedAt: item.lastModified };
    }
  }

  override async removeUnfinished(before: Date): Promise<void> {
    const client = await this.#ensured();
    for await (const upload of client.listIncompleteUploads(this.#bucket, this.prefix, true)) {
      if (upload.initiated < before) await client.removeIncompleteUpload(this.#bucket, upload.key);
    }
  }

  async #ensured(): Promise<Client> {
    this.#ready ??= this.#makeBucket().catch((error) => {
      this.#ready = undefined;
      throw error;
    });
    await this.#ready;
    return this.#client;
  }

  async #makeBucket(): Promise<void> {
    if (await this.#client.bucketExists(this.#bucket)) return;
    await this.#client.makeBucket(this.#bucket, this.#region).catch((error) => {
      // Another server was faster.
      if ((error as { code?: string }).code !== 'BucketAlreadyOwnedByYou') throw error;
    });
  }
}

/** Gathers chunks into parts: all but the last have `partBytes` or a little more. */
async function* inParts(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, undefined, undefined> {
  let gathered: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    gathered.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes < partBytes) continue;
    yield Buffer.concat(gathered, sizeBytes);
    gathered = [];
    sizeBytes = 0;
  }
  if (sizeBytes > 0) yield Buffer.concat(gathered, sizeBytes);
  return undefined;
}

function isNotFound(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === 'NoSuchKey' || code === 'NotFound';
}

import { availableParallelism } from 'node:os';

/** Every bound on what storage takes in and on the work one request can cause. */
export const limits = {
  /** The largest object, whatever its bucket allows. Supabase's own default. */
  objectBytes: 50 * 1024 * 1024,
  /** UTF-8 bytes of an object's name; the bound S3 sets on keys. */
  objectNameBytes: 1024,
  /** Characters of a bucket's name. */
  bucketNameCharacters: 100,
  /** Entries of a bucket's `allowed_mime_types`, and characters of one. */
  allowedMimeTypes: 100,
  mimeTypeCharacters: 255,
  /** JSON bodies of all storage routes; 1000 names of the longest kind fit. */
  jsonBodyBytes: 2 * 1024 * 1024,
  /** An uploader's own `metadata`, as JSON. */
  userMetadataBytes: 64 * 1024,
  /** Lists and objects in each other in it: far from where JSON.stringify runs out of stack. */
  userMetadataNesting: 100,
  /** `cache-control` of an object. */
  cacheControlCharacters: 256,

  /** Fields beside the file in a multipart upload, bytes of one field, and of one part's headers. */
  formFields: 10,
  formFieldBytes: 128 * 1024,
  formHeaderBytes: 16 * 1024,

  /** Names in one remove request. */
  removedObjects: 1000,
  /** Paths in one request for signed URLs. */
  signedUrls: 1000,
  /** Lifetime of a signed URL. */
  signedUrlSeconds: 10 * 365 * 24 * 3600,
  /** Lifetime of a signed upload URL, as in Supabase. */
  signedUploadUrlSeconds: 2 * 3600,
  /** Rows of one page of a listing, which may ask for more but gets no more; and how far into a folder it may begin. */
  listedObjects: 1500,
  listOffset: 1_000_000,
  /** Objects that one `empty` call removes; call again for more. */
  emptiedObjects: 100_000,
  /** Rows of one page of buckets, likewise. */
  listedBuckets: 1500,

  /** Sides of a rendered picture in pixels; a larger one is asked for in vain, as in Supabase. */
  pictureSide: 2000,
  /**
   * Pixels of a picture before rendering, over all its frames: 50 megapixels take 500 MB at most, an interlaced PNG
   * of 16 bits, and mostly far less. An AVIF is decoded as a whole, which takes up to 30 bytes for each pixel.
   */
  picturePixels: 50_000_000,
  avifPixels: 16_000_000,
  /**
   * Pixels of a rendered picture whose sides do not say: all that a phone's camera takes. Written as AVIF, in one step
   * that no time limit ends, they take ten seconds and 500 MB at most.
   */
  renderedPixels: 12_500_000,
  /** Bytes of a picture before rendering. */
  pictureBytes: 25 * 1024 * 1024,
  /** One rendering may take this long. */
  renderSeconds: 20,
  /**
   * Renderings at once in this process. Each holds one of libuv's four threads, which file reads need too, and
   * more than the processor has cores would only add memory.
   */
  rendersAtOnce: Math.min(3, availableParallelism()),
  /** Pictures of one project that may wait for their turn. */
  rendersWaiting: 200,
  /** Renderings of one picture that are made in one turn. */
  rendersTogether: 16,

  /** How often a read looks again for an object that was replaced between its row and its bytes. */
  readAttempts: 3,
  /** Bytes without a row are kept this long before the sweep takes them: far longer than any commit lasts. */
  orphanAgeMs: 3600_000,
  /** Versions that the sweep checks against the rows in one statement. */
  sweepBatch: 1000,
} as const;

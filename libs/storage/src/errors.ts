import { AppError } from '#libs/platform';

/**
 * The errors of the storage protocol. `status` is what the body says as `statusCode`; the HTTP status is 400 for
 * nearly all of them (see storage-error.filter.ts).
 */
export const bucketNotFound = () =>
  new AppError({ code: 'NoSuchBucket', status: 404, message: 'Bucket not found' });

export const objectNotFound = () =>
  new AppError({ code: 'NoSuchKey', status: 404, message: 'Object not found' });

export const alreadyExists = (code: 'KeyAlreadyExists' | 'BucketAlreadyExists' = 'KeyAlreadyExists') =>
  new AppError({ code, status: 409, message: 'The resource already exists' });

export const bucketNotEmpty = () =>
  new AppError({
    code: 'ResourceNotEmpty',
    status: 409,
    message: 'The bucket you tried to delete is not empty',
  });

export const accessDenied = (message = 'Access denied') =>
  new AppError({ code: 'AccessDenied', status: 403, message });

export const policyViolation = () => accessDenied('new row violates row-level security policy');

export const invalidKey = (name: string) =>
  new AppError({ code: 'InvalidKey', status: 400, message: `Invalid key: ${name.slice(0, 200)}` });

export const invalidBucketName = () =>
  new AppError({ code: 'InvalidBucketName', status: 400, message: 'Bucket name invalid' });

export const mimeTypeNotAllowed = (mimeType: string) =>
  new AppError({
    code: 'InvalidMimeType',
    status: 415,
    message: `mime type ${mimeType.slice(0, 200)} is not supported`,
  });

export const tooLarge = (what = 'object', limit = 'the maximum allowed size') =>
  new AppError({ code: 'EntityTooLarge', status: 413, message: `The ${what} exceeded ${limit}` });

export const invalidRequest = (message: string, cause?: unknown) =>
  new AppError({ code: 'InvalidRequest', status: 400, message, cause });

/** @param sizeBytes of the whole object, so that the client can ask again (RFC 9110 §15.5.17). */
export const rangeNotSatisfiable = (sizeBytes: number) =>
  new AppError({
    code: 'InvalidRange',
    status: 416,
    message: 'The requested range is not satisfiable',
    headers: { 'content-range': `bytes */${sizeBytes}` },
  });

export const invalidSignature = (message: string) =>
  new AppError({ code: 'InvalidSignature', status: 400, message });

export const invalidToken = (cause: unknown) =>
  new AppError({
    code: 'InvalidJWT',
    status: 400,
    message: cause instanceof Error ? cause.message : 'Invalid JWT',
    cause,
  });

export const notAPicture = (cause?: unknown) =>
  new AppError({
    code: 'InvalidRequest',
    status: 422,
    message: 'The source image is invalid or unsupported for rendering',
    cause,
  });

export const slowDown = (message: string) =>
  new AppError({ code: 'SlowDown', status: 429, message, headers: { 'retry-after': '1' } });

/** The database or the store of the bytes is away, restarting, say. */
export const unavailable = () =>
  new AppError({
    code: 'DatabaseTimeout',
    status: 503,
    message: 'Storage cannot be reached at the moment, please try again later',
    headers: { 'retry-after': '1' },
  });

export const notSupported = (feature: string) =>
  new AppError({ code: 'NotSupported', status: 409, message: `${feature} is not available on this server` });

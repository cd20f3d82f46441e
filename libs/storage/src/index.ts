export { ObjectBytesModule, StorageModule, openObjectBytes } from './storage.module.js';
export { sweepOrphanVersions } from './sweep-orphan-versions.js';
export { ObjectBytes, BytesMissing, type StoredVersion } from './bytes/object-bytes.js';
export { FileObjectBytes } from './bytes/file-bytes.js';
export { S3ObjectBytes } from './bytes/s3-bytes.js';
export { objectKey, projectPrefix } from './bytes/object-key.js';
export { limits as storageLimits } from './limits.js';
export { StorageErrorFilter } from './storage-error.filter.js';

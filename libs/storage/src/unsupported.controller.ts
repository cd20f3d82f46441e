import { All, Controller, Req, UseFilters } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '#libs/platform';
import { notSupported } from './errors.js';
import { StorageErrorFilter } from './storage-error.filter.js';

/** What other storage servers offer below `/storage/v1` and this one does not. */
const features: Readonly<Record<string, string>> = {
  upload: 'Resumable upload (TUS)',
  s3: 'The S3 protocol',
  iceberg: 'Analytics storage',
  vector: 'Vector storage',
  cdn: 'A content delivery network',
};

/** Answers every other path below `/storage/v1` in the protocol's own shape. */
@Controller('storage/v1')
@UseFilters(StorageErrorFilter)
export class UnsupportedController {
  @All('*')
  answer(@Req() request: FastifyRequest): never {
    const path = request.raw.url!.split('?', 1)[0]!;
    const feature = features[path.split('/')[3] ?? ''];
    if (feature) throw notSupported(feature);
    throw new AppError({
      code: 'NotFound',
      status: 404,
      message: `Route ${request.method}:${path} not found`,
    });
  }
}

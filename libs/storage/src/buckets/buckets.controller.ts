import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Put,
  Query,
  Req,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import {
  Context,
  KeyRequiredGuard,
  LOGGER,
  type Logger,
  type RequestContext,
  sqlStateOf,
} from '#libs/platform';
import { requestSettings, callerReads } from '../operation.js';
import { ObjectBytes } from '../bytes/object-bytes.js';
import { alreadyExists, bucketNotEmpty, bucketNotFound, notSupported } from '../errors.js';
import { readJsonBody } from '../parse-request.js';
import { StorageErrorFilter } from '../storage-error.filter.js';
import { parseBucketListing, parseBucketSettings, parseNewBucket } from './bucket-requests.js';
import {
  deleteBucket,
  findBucket,
  hasObjects,
  insertBucket,
  listBuckets,
  updateBucket,
  type Bucket,
} from './buckets.sql.js';
import { emptyBucket } from './empty-bucket.js';

/** `/storage/v1/bucket`: the policies on `storage.buckets` decide. */
@Controller('storage/v1/bucket')
@UseFilters(StorageErrorFilter)
@UseGuards(KeyRequiredGuard)
export class BucketsController {
  constructor(
    private readonly bytes: ObjectBytes,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Get()
  async list(@Context() context: RequestContext, @Query() query: unknown): Promise<Bucket[]> {
    return listBuckets(callerReads(context, 'storage.bucket.list'), parseBucketListing(query));
  }

  @Get(':id')
  async get(@Context() context: RequestContext, @Param('id') id: string): Promise<Bucket> {
    const bucket = await findBucket(callerReads(context, 'storage.bucket.get'), id);
    if (!bucket) throw bucketNotFound();
    return bucket;
  }

  @Post()
  @HttpCode(200)
  async create(@Context() context: RequestContext, @Req() request: FastifyRequest) {
    const bucket = parseNewBucket(await readJsonBody(request));
    if (bucket.type === 'ANALYTICS') throw notSupported('Analytics storage');
    const { project, caller } = context;
    await project.database
      .asCaller(caller, requestSettings(context, 'storage.bucket.create'), (tx) =>
        insertBucket(tx, { ...bucket, ownerId: caller.userId }),
      )
      .catch((error) => {
        throw sqlStateOf(error) === '23505' ? alreadyExists('BucketAlreadyExists') : error;
      });
    return { name: bucket.name };
  }

  @Put(':id')
  async update(@Context() context: RequestContext, @Param('id') id: string, @Req() request: FastifyRequest) {
    const settings = parseBucketSettings(await readJsonBody(request));
    const { project, caller } = context;
    const updated = await project.database.asCaller(
      caller,
      requestSettings(context, 'storage.bucket.update'),
      (tx) => updateBucket(tx, id, settings),
    );
    if (!updated) throw bucketNotFound();
    return { message: 'Successfully updated' };
  }

  @Post(':id/empty')
  @HttpCode(200)
  async empty(@Context() context: RequestContext, @Param('id') id: string) {
    await emptyBucket(context, this.bytes, this.logger, id);
    return { message: 'Successfully emptied' };
  }

  @Delete(':id')
  async remove(@Context() context: RequestContext, @Param('id') id: string) {
    const { project, caller } = context;
    await project.database.asSystem(async (tx) => {
      if (await hasObjects(tx, id)) throw bucketNotEmpty();
      const deleted = await tx.asCaller(caller, requestSettings(context, 'storage.bucket.delete'), (own) =>
        deleteBucket(own, id),
      );
      if (!deleted) throw bucketNotFound();
    });
    return { message: 'Successfully deleted' };
  }
}

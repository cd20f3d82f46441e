import { Controller, Delete, HttpCode, Inject, Post, Req, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { KeyRequiredGuard, LOGGER, type Logger } from '#libs/platform';
import { callerReads } from '../operation.js';
import { ObjectBytes } from '../bytes/object-bytes.js';
import { accessDenied, notSupported, objectNotFound } from '../errors.js';
import { objectAddress, pathBelow, requireBucketName } from '../names.js';
import { readJsonBody } from '../parse-request.js';
import { urlOf } from '../signing/signed-url.js';
import { StorageErrorFilter } from '../storage-error.filter.js';
import { copyObject } from './copy-object.js';
import { listFolder } from './list-objects.sql.js';
import { moveObject } from './move-object.js';
import { parseListing, parseRelocation, parseRemoval } from './object-requests.js';
import { findObject } from './objects.sql.js';
import { removeObjects } from './remove-objects.js';
import { userMetadataFromHeader } from './upload-body.js';

/** Objects without their bytes: list, move, copy, remove. The policies on `storage.objects` decide. */
@Controller('storage/v1/object')
@UseFilters(StorageErrorFilter)
@UseGuards(KeyRequiredGuard)
export class ObjectsController {
  constructor(
    private readonly bytes: ObjectBytes,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Post('list/*')
  @HttpCode(200)
  async list(@Req() request: FastifyRequest) {
    const bucket = pathBelow(request.raw.url!, '/object/list/');
    const listing = parseListing(bucket, await readJsonBody(request));
    return listFolder(callerReads(request.galley, 'storage.object.list'), listing);
  }

  @Post('list-v2/*')
  listPaged(): never {
    throw notSupported('Listing with a cursor (list-v2)');
  }

  @Post('move')
  @HttpCode(200)
  async move(@Req() request: FastifyRequest) {
    const { from, to } = parseRelocation(await readJsonBody(request));
    const id = await moveObject(request.galley, from, to);
    return { message: 'Successfully moved', Id: id, Key: to.name };
  }

  @Post('copy')
  @HttpCode(200)
  async copy(@Req() request: FastifyRequest) {
    const { from, to } = parseRelocation(await readJsonBody(request));
    const given = request.headers['x-metadata'];
    const id = await copyObject(request.galley, this.bytes, this.logger, {
      from,
      to,
      upsert: request.headers['x-upsert'] === 'true',
      userMetadata: given === undefined ? undefined : userMetadataFromHeader(given),
    });
    return { Id: id, Key: urlOf(to) };
  }

  /** `DELETE /object/:bucket` with names in the body, or `DELETE /object/:bucket/*` for one. */
  @Delete('*')
  async remove(@Req() request: FastifyRequest) {
    const path = pathBelow(request.raw.url!, '/object/');
    if (path.includes('/')) return this.#removeOne(request);
    const bucket = requireBucketName(path);
    const names = parseRemoval(await readJsonBody(request));
    return removeObjects(request.galley, this.bytes, this.logger, {
      bucket,
      names,
      operation: 'storage.object.delete_many',
    });
  }

  async #removeOne(request: FastifyRequest) {
    const { bucket, name } = objectAddress(request.raw.url!, '/object/');
    if (!(await findObject(request.galley.project.database, bucket, name))) throw objectNotFound();
    const removed = await removeObjects(request.galley, this.bytes, this.logger, {
      bucket,
      names: [name],
      operation: 'storage.object.delete',
    });
    if (removed.length === 0) throw accessDenied();
    return { message: 'Successfully deleted' };
  }
}

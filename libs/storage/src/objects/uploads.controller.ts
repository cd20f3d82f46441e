import { Controller, HttpCode, Inject, Post, Put, Req, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { discardBody, KeyRequiredGuard, LOGGER, type Logger, type RequestContext } from '#libs/platform';
import { ObjectBytes } from '../bytes/object-bytes.js';
import { objectAddress, type ObjectAddress } from '../names.js';
import { urlOf, verifySigned, type UploadClaims } from '../signing/signed-url.js';
import { StorageErrorFilter } from '../storage-error.filter.js';
import { readUploadBody } from './upload-body.js';
import { uploadObject, type Upload } from './upload-object.js';

/** Uploads: `POST` and `PUT /object/:bucket/*`, and `PUT /object/upload/sign/:bucket/*` with a token. */
@Controller('storage/v1/object')
@UseFilters(StorageErrorFilter)
export class UploadsController {
  constructor(
    private readonly bytes: ObjectBytes,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Put('upload/sign/*')
  async uploadSigned(@Req() request: FastifyRequest) {
    const address = objectAddress(request.raw.url!, '/object/upload/sign/');
    const { token } = request.query as { token?: unknown };
    const claims = await verifySigned(request.galley.project, token, 'upload', address);
    await this.#upload(request, asSigner(request.galley, claims), {
      ...address,
      upsert: claims.upsert,
      ownerId: claims.owner,
      operation: 'storage.object.upload_signed',
    });
    return { Key: urlOf(address) };
  }

  @Post('*')
  @HttpCode(200)
  @UseGuards(KeyRequiredGuard)
  create(@Req() request: FastifyRequest) {
    return this.#uploadOwn(request, {
      upsert: request.headers['x-upsert'] === 'true',
      operation: 'storage.object.upload',
    });
  }

  @Put('*')
  @UseGuards(KeyRequiredGuard)
  update(@Req() request: FastifyRequest) {
    return this.#uploadOwn(request, { upsert: true, operation: 'storage.object.upload_update' });
  }

  async #uploadOwn(request: FastifyRequest, upload: Pick<Upload, 'upsert' | 'operation'>) {
    const address: ObjectAddress = objectAddress(request.raw.url!, '/object/');
    const ownerId = request.galley.caller.userId;
    const id = await this.#upload(request, request.galley, { ...address, ...upload, ownerId });
    return { Id: id, Key: urlOf(address) };
  }

  async #upload(request: FastifyRequest, context: RequestContext, upload: Omit<Upload, 'body'>) {
    try {
      const body = await readUploadBody(request);
      return await uploadObject(context, this.bytes, this.logger, { ...upload, body });
    } catch (error) {
      discardBody(request.raw);
      throw error;
    }
  }
}

/** Who signed the URL was asked then; the policies are not asked again. */
function asSigner(context: RequestContext, { depth, owner }: UploadClaims): RequestContext {
  const claims = { role: 'service_role' };
  return { ...context, caller: { kind: 'service', role: 'service_role', userId: owner, claims, depth } };
}

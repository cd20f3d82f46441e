import { Controller, Get, Head, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { KeyRequiredGuard } from '#libs/platform';
import { objectAddress } from '../names.js';
import { findPublic, findReadable, findSigned } from '../objects/find-readable.js';
import { verifySigned } from '../signing/signed-url.js';
import { StorageErrorFilter } from '../storage-error.filter.js';
import { SendPicture } from './send-picture.js';
import { parseTransform, parseTransformText } from './transform.js';

/** Rendered pictures: `GET` and `HEAD /render/image/{authenticated,public,sign}/:bucket/*`; why HEAD, as of objects. */
@Controller('storage/v1/render/image')
@UseFilters(StorageErrorFilter)
export class PicturesController {
  constructor(private readonly pictures: SendPicture) {}

  @Head('authenticated/*')
  @UseGuards(KeyRequiredGuard)
  headAuthenticated(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#sendReadable(request, reply);
  }

  @Get('authenticated/*')
  @UseGuards(KeyRequiredGuard)
  getAuthenticated(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#sendReadable(request, reply);
  }

  @Head('public/*')
  headPublic(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#sendPublic(request, reply);
  }

  @Get('public/*')
  getPublic(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#sendPublic(request, reply);
  }

  @Head('sign/*')
  headSigned(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#sendSigned(request, reply);
  }

  @Get('sign/*')
  getSigned(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#sendSigned(request, reply);
  }

  #sendReadable(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const address = objectAddress(request.raw.url!, '/render/image/authenticated/');
    return this.pictures.send(request, reply, {
      find: () => findReadable(request.galley, 'storage.render.image_authenticated', address),
      transform: parseTransform(request.query as object),
    });
  }

  #sendPublic(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const address = objectAddress(request.raw.url!, '/render/image/public/');
    return this.pictures.send(request, reply, {
      find: () => findPublic(request.galley, address),
      transform: parseTransform(request.query as object),
    });
  }

  async #sendSigned(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const address = objectAddress(request.raw.url!, '/render/image/sign/');
    const { token } = request.query as { token?: unknown };
    const claims = await verifySigned(request.galley.project, token, 'download', address);
    await this.pictures.send(request, reply, {
      find: () => findSigned(request.galley, address),
      transform: parseTransformText(claims.transformations ?? ''),
      expires: new Date(claims.exp * 1000),
    });
  }
}

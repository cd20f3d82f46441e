import { Controller, Get, Head, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { KeyRequiredGuard } from '#libs/platform';
import { ObjectBytes } from '../bytes/object-bytes.js';
import { invalidSignature } from '../errors.js';
import { objectAddress } from '../names.js';
import { verifySigned } from '../signing/signed-url.js';
import { StorageErrorFilter } from '../storage-error.filter.js';
import { findPublic, findReadable, findSigned } from './find-readable.js';
import { objectInfo } from './object-info.js';
import type { ObjectRow } from './objects.sql.js';
import { sendObject } from './send-object.js';

/**
 * Downloads: `GET` and `HEAD /object/{public,authenticated,sign}/:bucket/*`, `/object/:bucket/*`, `/object/info/…`. The
 * HEAD that Fastify makes of a GET would say that there are 0 bytes.
 */
@Controller('storage/v1/object')
@UseFilters(StorageErrorFilter)
export class ReadsController {
  constructor(private readonly bytes: ObjectBytes) {}

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

  @Get('info/public/*')
  async infoPublic(@Req() request: FastifyRequest) {
    return objectInfo(await findPublic(request.galley, objectAddress(request.raw.url!, '/info/public/')));
  }

  @Get('info/authenticated/*')
  @UseGuards(KeyRequiredGuard)
  infoAuthenticated(@Req() request: FastifyRequest) {
    return infoOf(request, '/object/info/authenticated/');
  }

  @Get('info/*')
  info(@Req() request: FastifyRequest) {
    return infoOf(request, '/object/info/');
  }

  @Head('authenticated/*')
  @UseGuards(KeyRequiredGuard)
  headAuthenticated(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#sendReadable(request, reply, '/object/authenticated/');
  }

  @Get('authenticated/*')
  @UseGuards(KeyRequiredGuard)
  getAuthenticated(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#sendReadable(request, reply, '/object/authenticated/');
  }

  @Head('*')
  head(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#sendReadable(request, reply, '/object/');
  }

  @Get('*')
  get(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#sendReadable(request, reply, '/object/');
  }

  #sendPublic(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const address = objectAddress(request.raw.url!, '/object/public/');
    return sendObject(request, reply, this.bytes, { find: () => findPublic(request.galley, address) });
  }

  async #sendSigned(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const address = objectAddress(request.raw.url!, '/object/sign/');
    const { token } = request.query as { token?: unknown };
    const { exp, transformations } = await verifySigned(request.galley.project, token, 'download', address);
    // Who signed a thumbnail did not give away the original.
    if (transformations) throw invalidSignature('Token is signed for a rendered image');
    await sendObject(request, reply, this.bytes, {
      find: () => findSigned(request.galley, address),
      expires: new Date(exp * 1000),
    });
  }

  #sendReadable(request: FastifyRequest, reply: FastifyReply, route: string): Promise<void> {
    const address = objectAddress(request.raw.url!, route);
    const find = (): Promise<ObjectRow> =>
      findReadable(request.galley, 'storage.object.get_authenticated', address);
    return sendObject(request, reply, this.bytes, { find });
  }
}

async function infoOf(request: FastifyRequest, route: string) {
  const address = objectAddress(request.raw.url!, route);
  return objectInfo(await findReadable(request.galley, 'storage.object.info_authenticated', address));
}

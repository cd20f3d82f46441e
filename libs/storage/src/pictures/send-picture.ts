import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { ObjectBytes } from '../bytes/object-bytes.js';
import { objectKey } from '../bytes/object-key.js';
import { slowDown, tooLarge } from '../errors.js';
import { limits } from '../limits.js';
import { isFresh, sendNotModified, sendRepresentation } from '../objects/object-response.js';
import type { ObjectRow } from '../objects/objects.sql.js';
import { withCurrentVersion } from '../objects/open-version.js';
import { representationOf } from '../objects/send-object.js';
import { FairGate } from './fair-gate.js';
import { renderPicture, type RenderedPicture } from './render-picture.js';
import { formatTransform, type Transform } from './transform.js';

export interface PictureRequest {
  readonly find: () => Promise<ObjectRow>;
  readonly transform: Transform;
  readonly expires?: Date;
}

/** Answers with a rendered picture. The process renders a bounded number at once, the projects taking turns. */
@Injectable()
export class SendPicture {
  readonly #gate = new FairGate({
    atOnce: limits.rendersAtOnce,
    waitingPerKey: limits.rendersWaiting,
    full: () => slowDown('Too many pictures are being rendered'),
  });

  constructor(private readonly bytes: ObjectBytes) {}

  async send(request: FastifyRequest, reply: FastifyReply, picture: PictureRequest): Promise<void> {
    const acceptsWebp = /\bimage\/webp\b/i.test(request.headers.accept ?? '');
    await withCurrentVersion(picture.find, async (object, version) => {
      const source = representationOf(object, picture.expires);
      const eTag = renderedTag(source.eTag ?? version, picture.transform, acceptsWebp);
      if (picture.transform.format === undefined) reply.header('vary', 'Accept');
      // A browser that holds the picture costs no rendering.
      if (isFresh(request, { ...source, eTag })) return sendNotModified(reply, { ...source, eTag });
      if (source.sizeBytes > limits.pictureBytes) throw tooLarge('picture', `${limits.pictureBytes} bytes`);
      const rendered = await this.#render(request, version, picture.transform, acceptsWebp);
      const { data, mimeType } = rendered;
      const representation = { ...source, eTag, mimeType, sizeBytes: data.length };
      return sendRepresentation(request, reply, representation, async (range) =>
        range ? data.subarray(range.start, range.end + 1) : data,
      );
    });
  }

  async #render(
    request: FastifyRequest,
    version: string,
    transform: Transform,
    acceptsWebp: boolean,
  ): Promise<RenderedPicture> {
    const { ref } = request.galley.project;
    const gone = new AbortController();
    const leave = () => gone.abort(new Error('The client went away'));
    request.raw.socket.once('close', leave);
    try {
      return await this.#gate.run(ref, gone.signal, async () => {
        const source = await buffer(await this.bytes.read(objectKey(ref, version)));
        return renderPicture(source, transform, acceptsWebp);
      });
    } finally {
      request.raw.socket.off('close', leave);
    }
  }
}

/** Another transformation of the same bytes is another representation. */
function renderedTag(source: string, transform: Transform, acceptsWebp: boolean): string {
  const negotiated = transform.format === undefined && acceptsWebp ? 'webp' : '';
  const parts = [source, formatTransform(transform), negotiated].join('\n');
  return `"${createHash('sha256').update(parts).digest('hex').slice(0, 32)}"`;
}

import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { tooLarge } from '../errors.js';
import { limits } from '../limits.js';
import { isFresh, sendNotModified, sendRepresentation } from '../objects/object-response.js';
import type { ObjectRow } from '../objects/objects.sql.js';
import { withCurrentVersion } from '../objects/open-version.js';
import { representationOf } from '../objects/send-object.js';
import { PictureRenderer, type Rendering } from './picture-renderer.js';
import type { RenderedPicture } from './render-picture.js';
import { formatTransform, type Transform } from './transform.js';

export interface PictureRequest {
  readonly find: () => Promise<ObjectRow>;
  readonly transform: Transform;
  readonly expires?: Date;
}

/** Answers with a rendered picture. */
@Injectable()
export class SendPicture {
  constructor(private readonly renderer: PictureRenderer) {}

  async send(request: FastifyRequest, reply: FastifyReply, picture: PictureRequest): Promise<void> {
    const acceptsWebp = /\bimage\/webp\b/i.test(request.headers.accept ?? '');
    await withCurrentVersion(picture.find, async (object, version) => {
      const source = representationOf(object, picture.expires);
      const eTag = renderedTag(source.eTag ?? version, picture.transform, acceptsWebp);
      if (picture.transform.format === undefined) reply.header('vary', 'Accept');
      // A browser that holds the picture costs no rendering.
      if (isFresh(request, { ...source, eTag })) return sendNotModified(reply, { ...source, eTag });
      if (source.sizeBytes > limits.pictureBytes) throw tooLarge('picture', `${limits.pictureBytes} bytes`);
      const { transform } = picture;
      const { data, mimeType } = await this.#render(request, { version, transform, acceptsWebp });
      const representation = { ...source, eTag, mimeType, sizeBytes: data.length };
      return sendRepresentation(request, reply, representation, async (range) =>
        range ? data.subarray(range.start, range.end + 1) : data,
      );
    });
  }

  async #render(request: FastifyRequest, rendering: Omit<Rendering, 'projectRef'>): Promise<RenderedPicture> {
    const gone = new AbortController();
    const leave = () => gone.abort(new Error('The client went away'));
    request.raw.socket.once('close', leave);
    try {
      return await this.renderer.render(
        { projectRef: request.galley.project.ref, ...rendering },
        gone.signal,
      );
    } finally {
      request.raw.socket.off('close', leave);
    }
  }
}

/**
 * Another transformation of the same bytes is another representation. Weak (RFC 9110 §8.8.1): rendered again it looks
 * the same, byte for byte it need not be.
 */
function renderedTag(source: string, transform: Transform, acceptsWebp: boolean): string {
  const negotiated = transform.format === undefined && acceptsWebp ? 'webp' : '';
  const parts = [source, formatTransform(transform), negotiated].join('\n');
  return `W/"${createHash('sha256').update(parts).digest('hex').slice(0, 32)}"`;
}

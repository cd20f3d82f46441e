import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { limits } from '../limits.js';
import { clientNetwork } from '../network/client-network.js';
import { readBody, readJson } from './read-body.js';

// Bodies are read by guards, and stand behind the guards that ask for a key: nothing is held in memory for who has
// none. A controller without one of these gets the body as the stream that it is.

/** Replaces `request.body` by what its JSON says. @throws AppError `body_too_large` (413), `invalid_json` (400) */
@Injectable()
export class JsonBodyGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const body = bodyOf(request);
    if (body) request.body = await readJson(body, limits.jsonBodyBytes, clientNetwork(request.ip));
    return true;
  }
}

/**
 * Replaces `request.body` by its text, or by its bytes where it says to be none or is none: what is not UTF-8 would be
 * changed by being made a text.
 * @throws AppError `body_too_large` (413)
 */
@Injectable()
export class TextBodyGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const body = bodyOf(request);
    if (!body) return true;
    const bytes = await readBody(body, limits.textBodyBytes, clientNetwork(request.ip));
    const isText = !isBinary(request.headers['content-type']) && isUtf8(bytes);
    request.body = isText ? bytes.toString('utf8') : bytes;
    return true;
  }
}

/** Types are equal in any case of their letters (RFC 9110 §8.3.1). */
function isBinary(contentType: string | undefined): boolean {
  return contentType?.split(';', 1)[0]!.trim().toLowerCase() === 'application/octet-stream';
}

/** Undefined where the request announced none. */
function bodyOf(request: FastifyRequest): Readable | undefined {
  return (request.body as Readable | undefined | null) ?? undefined;
}

import type { FastifyRequest } from 'fastify';
import { isIP } from 'node:net';
import { limits } from './limits.js';

/** What a session remembers of the device it was opened from. */
export interface Client {
  /** Null when the request came over a unix socket. */
  readonly ip: string | null;
  readonly userAgent: string | null;
}

export function clientOf(request: FastifyRequest): Client {
  return {
    ip: isIP(request.ip) ? request.ip : null,
    userAgent: request.headers['user-agent']?.slice(0, limits.userAgentChars) ?? null,
  };
}

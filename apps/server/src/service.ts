import type { FastifyRequest } from 'fastify';

export type Service = 'auth' | 'rest' | 'storage' | 'functions' | 'platform';

/** The service that a request is for, by its first path segment; none of them needs percent-encoding. */
export function serviceOf(request: FastifyRequest): Service {
  const first = /^\/(auth|rest|storage|functions)\//.exec(request.url)?.[1];
  return (first as Service | undefined) ?? 'platform';
}

import {
  keylessCaller,
  limits,
  newId,
  readBody,
  readJson,
  type Logger,
  type Metrics,
  type ProjectRegistry,
} from '#libs/platform';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { serviceOf, type Service } from './service.js';

const longestRequestId = 64;

/**
 * What happens to every request before a controller sees it: it gets an id and a project, its body the form its
 * service reads, and its browser the CORS answers that Supabase's gateway gives.
 */
export function openFrontDoor(
  fastify: FastifyInstance,
  projects: ProjectRegistry,
  { metrics, logger }: { metrics: Metrics; logger: Logger },
  onAnswered: (projectRef: string, service: Service) => void,
): void {
  fastify.addHook('onRequest', async (request, reply) => {
    const requestId = requestIdOf(request);
    request.galley = { project: projects.first, requestId, caller: keylessCaller };
    void reply.header('x-request-id', requestId);
    allowBrowsers(request, reply.raw);
    if (isPreflight(request) && serviceOf(request) !== 'functions') await reply.status(204).send();
  });
  fastify.addHook('onResponse', async (request, reply) => {
    const service = serviceOf(request);
    const { method } = request;
    const { project, requestId } = request.galley;
    onAnswered(project.ref, service);
    metrics.requestDuration
      .labels(service, method, String(reply.statusCode))
      .observe(reply.elapsedTime / 1000);
    // Without the query: it holds people's filters and the tokens of signed URLs.
    const [path] = request.url.split('?');
    logger.debug({ requestId, method, path, status: reply.statusCode, ms: reply.elapsedTime }, 'Answered');
  });
  readBodies(fastify);
}

/** A client's own id is kept when it is short and plain, so that its trace goes on here. */
function requestIdOf(request: FastifyRequest): string {
  const given = request.headers['x-request-id'];
  const usable = typeof given === 'string' && given.length <= longestRequestId && /^[\w.-]+$/.test(given);
  return usable ? given : newId();
}

function isPreflight(request: FastifyRequest): boolean {
  return request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
}

const exposedHeaders = [
  'Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding',
  'Range-Unit, X-Total-Count, Link, X-Request-Id, X-Supabase-Api-Version, Preference-Applied, X-Relay-Error',
  'Sb-Error-Code',
].join(', ');

/** Keys, not cookies, tell who asks: any origin may call. Functions answer their preflights themselves. */
function allowBrowsers(request: FastifyRequest, response: ServerResponse): void {
  if (request.headers.origin === undefined || serviceOf(request) === 'functions') return;
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('access-control-expose-headers', exposedHeaders);
  if (!isPreflight(request)) return;
  response.setHeader('access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  response.setHeader(
    'access-control-allow-headers',
    request.headers['access-control-request-headers'] ?? '*',
  );
  response.setHeader('access-control-max-age', '3600');
}

/** Storage and functions take their bodies as streams, the data API as text, everything else as JSON. */
function readBodies(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', async (request: FastifyRequest, payload: Readable) => {
    const service = serviceOf(request);
    const mimeType = request.headers['content-type'] ?? '';
    if (service === 'storage' || service === 'functions' || mimeType.startsWith('multipart/')) return payload;
    if (service === 'rest') return (await readBody(payload, limits.restBodyBytes)).toString('utf8');
    return readJson(payload, limits.jsonBodyBytes);
  });
}

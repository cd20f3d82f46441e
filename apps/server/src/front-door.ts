import {
  AppError,
  discardBody,
  keylessCaller,
  newId,
  type Logger,
  type Metrics,
  type ProjectRegistry,
} from '#libs/platform';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { tellBytes, type ConnectionBytes } from './connection-bytes.js';
import { serviceOf, type Service } from './service.js';

const longestRequestId = 64;

/**
 * What happens to every request before a controller sees it: it gets an id and a project, and its browser the CORS
 * answers that Supabase's gateway gives.
 */
export function openFrontDoor(
  fastify: FastifyInstance,
  projects: ProjectRegistry,
  { metrics, logger }: { metrics: Metrics; logger: Logger },
  onPassed: (projectRef: string, service: Service, bytes: ConnectionBytes) => void,
): void {
  const tellPassed = (request: FastifyRequest) => {
    const { project } = request.galley;
    tellBytes(request.raw.socket, (bytes) => onPassed(project.ref, serviceOf(request), bytes));
  };
  fastify.addHook('onRequest', async (request, reply) => {
    admit(request, reply, projects);
    // Fastify tells of answers that were sent to their end; who leaves before has used the server all the same.
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) tellPassed(request);
    });
    if (hasEncodedService(request)) throw notFound(request);
    if (isPreflight(request) && serviceOf(request) !== 'functions') await reply.status(204).send();
  });
  fastify.addHook('onResponse', async (request, reply) => {
    discardBody(request.raw);
    const service = serviceOf(request);
    const { method } = request;
    const { requestId } = request.galley;
    tellPassed(request);
    metrics.requestDuration
      .labels(service, method, String(reply.statusCode))
      .observe(reply.elapsedTime / 1000);
    // Without the query: it holds people's filters and the tokens of signed URLs.
    const [path] = request.url.split('?');
    logger.debug({ requestId, method, path, status: reply.statusCode, ms: reply.elapsedTime }, 'Answered');
  });
  // Nothing is read before it is known who asks: the guards and controllers do it.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', async (_request: FastifyRequest, payload: Readable) => payload);
}

/** Gives a request its id and project, and its answer what a browser must be told. */
export function admit(request: FastifyRequest, reply: FastifyReply, projects: ProjectRegistry): void {
  const requestId = requestIdOf(request);
  request.galley = { project: projects.first, requestId, caller: keylessCaller };
  void reply.header('x-request-id', requestId);
  allowBrowsers(request, reply.raw);
}

/** The router would decode it, and the service by whose rules the request is taken would be another one. */
function hasEncodedService(request: FastifyRequest): boolean {
  return /^\/[^/?]*%/.test(request.url);
}

function notFound({ method, url }: FastifyRequest): AppError {
  return new AppError({
    code: 'not_found',
    status: 404,
    message: `There is no ${method} ${url.split('?')[0]}`,
  });
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

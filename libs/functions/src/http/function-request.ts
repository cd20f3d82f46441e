import { AppError, upgradeOf, type Project } from '#libs/platform';
import type { FastifyRequest } from 'fastify';
import { finished, Transform, type Readable } from 'node:stream';
import { limits } from '../limits.js';
import type { Manifest } from '../manifest/manifest.js';
import { invalidRequest } from './function-errors.js';
import { lendInHeaders, lendInQuery, serviceRoleLender } from './lend-service-role.js';
import { calledFunction } from './preview.js';
import { opaqueApiKey } from './verify-jwt.js';

const functionsPath = '/functions/v1';
/** What `Host` may hold (RFC 9112 §3.2): with anything else the function would see a URL of the client's making. */
const hostPattern = /^(?:[a-z0-9._~%-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/**
 * `/functions/v1/hello/world?x=1` → `hello`, and `/hello/world?x=1`, which is what Supabase's functions see;
 * `/functions/v1/hello@8/world` → the same path, and the deployment's number.
 */
export function functionTarget(url: string): { slug: string; number?: number; path: string } {
  const path = url.slice(functionsPath.length);
  const name = /^\/+([^/?]*)/.exec(path)?.[1] ?? '';
  const called = calledFunction(name);
  return { ...called, path: `/${called.slug}${path.replace(/^\/+/, '').slice(name.length)}` };
}

type ForwardedHeaders = Record<string, string | string[] | undefined>;

/**
 * The headers that a function gets: the client's, save those that the platform speaks in. Opaque keys become the
 * tokens they stand for, as Supabase's gateway does, since functions read claims out of `Authorization`; secret ones
 * are kept from functions that do not declare `service_role`. The first of `x-forwarded-for` is the client, as far as proxies that we trust have told it.
 * @throws AppError `invalid_request` (400) when `Host` names no host
 */
export function forwardedHeaders(request: FastifyRequest, manifest: Manifest): ForwardedHeaders {
  const { project, requestId } = request.galley;
  const { host } = request.headers;
  if (host !== undefined && !hostPattern.test(host)) throw invalidRequest('The Host header is not valid');
  const headers: ForwardedHeaders = {};
  for (const name in request.headers) {
    if (!name.startsWith('x-galley-') && name !== 'sb-api-key') headers[name] = request.headers[name];
  }
  const authorization = translatedKey(request, project);
  if (authorization) headers['authorization'] = authorization;
  if (!manifest.permissions.service_role)
    lendInHeaders(headers, serviceRoleLender(project, lifetimeMs(request, manifest)));
  headers['x-forwarded-for'] = (request.ips ?? [request.ip]).toReversed().join(', ');
  headers['x-forwarded-proto'] ??= 'http';
  headers['x-request-id'] = requestId;
  return headers;
}

function translatedKey(request: FastifyRequest, project: Project): string | undefined {
  const { authorization } = request.headers;
  if (request.galley.credentialError) return undefined;
  const opaque =
    authorization === undefined
      ? opaqueApiKey(request) !== undefined
      : /^bearer +sb_/i.test(authorization.trim());
  if (!opaque) return undefined;
  const { anonKey, serviceRoleKey } = project.keys;
  return `Bearer ${request.galley.caller.kind === 'service' ? serviceRoleKey : anonKey}`;
}

/** The path and query that a function gets: the client's, save for a secret key that is not for it. */
export function forwardedPath(request: FastifyRequest, manifest: Manifest, path: string): string {
  if (manifest.permissions.service_role) return path;
  return lendInQuery(path, serviceRoleLender(request.galley.project, lifetimeMs(request, manifest)));
}

/** How long a call may take at most, from now on. */
function lifetimeMs(request: FastifyRequest, manifest: Manifest): number {
  const wallTimeMs = upgradeOf(request.raw) ? manifest.websocket_timeout_ms : manifest.timeout_ms;
  return limits.bodyStartMs + limits.instanceWaitMs + wallTimeMs;
}

/** The body of a request on its way to a function. */
export interface RequestBody {
  /** May break at any time, also before anybody reads it: its reader finds it destroyed then. */
  readonly stream: Readable;
  /** Resolves, never rejects, when so much has come that an instance need not wait for the client; or it broke. */
  readonly begun: Promise<void>;
}

/**
 * The request's body, cut off with an error past `limits.requestBodyBytes`, and when its client pauses for longer than
 * `limits.bodyIdleMs`.
 * @throws AppError `body_too_large` (413) when it announces to be too large
 */
export function boundedBody(request: FastifyRequest): RequestBody | null {
  const body = request.body as Readable | undefined;
  if (!body) return null;
  const announcedBytes = Number(request.headers['content-length'] ?? Infinity);
  if (announcedBytes !== Infinity && announcedBytes > limits.requestBodyBytes) throw tooLarge();
  const awaitedBytes = announcedBytes > limits.heldBodyBytes ? 1 : announcedBytes;
  let begin!: () => void;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  let sizeBytes = 0;
  const pause = setTimeout(() => {
    // What waits to be read is not the client's pause but the function's.
    if (stream.writableLength > 0) pause.refresh();
    else stream.destroy(tooSlow(`The request body stopped coming for ${limits.bodyIdleMs} ms`));
  }, limits.bodyIdleMs);
  const stream: Transform = new Transform({
    // So that what is waited for fits.
    readableHighWaterMark: 4 * limits.heldBodyBytes,
    transform(chunk: Buffer, _encoding, done) {
      pause.refresh();
      sizeBytes += chunk.length;
      if (sizeBytes >= awaitedBytes) begin();
      if (sizeBytes > limits.requestBodyBytes) done(tooLarge());
      else done(null, chunk);
    },
  });
  stream.on('error', () => {}).once('close', () => clearTimeout(pause));
  // Also when it has ended already, or closes without saying why.
  finished(body, { writable: false }, (error) => {
    clearTimeout(pause);
    if (error) stream.destroy(error);
    begin();
  });
  body.pipe(stream);
  return { stream, begun };
}

/**
 * Waits for the beginning of a body, so that clients that announce one and send nothing hold no instances.
 * @throws AppError `REQUEST_TIMEOUT` (408)
 */
export function untilBegun({ begun }: RequestBody): Promise<void> {
  return new Promise((resolve, reject) => {
    const message = `The request body did not come within ${limits.bodyStartMs} ms`;
    const timer = setTimeout(() => reject(tooSlow(message)), limits.bodyStartMs);
    void begun.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function tooSlow(message: string): AppError {
  return new AppError({
    code: 'REQUEST_TIMEOUT',
    status: 408,
    message,
    headers: { connection: 'close' },
  });
}

function tooLarge(): AppError {
  return new AppError({
    code: 'body_too_large',
    status: 413,
    message: `The request body is larger than ${limits.requestBodyBytes} bytes`,
  });
}

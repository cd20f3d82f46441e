import { All, Controller, Req, Res, UseFilters } from '@nestjs/common';
import { AppError, LeavesBadCredentials, newId, rootOf, upgradeOf } from '#libs/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import { finished, type Readable } from 'node:stream';
import { AcceptCall, prefersAsync } from '../calls/accept-call.js';
import { Cancellation } from '../cancellation.js';
import { ActiveDeployments } from '../invoke/active-deployments.js';
import { hasNoRecord, InvokeFunction } from '../invoke/invoke-function.js';
import { limits } from '../limits.js';
import type { InvocationResponse } from '../runtime/function-runtime.js';
import { region } from '../region.js';
import {
  boundedBody,
  forwardedHeaders,
  forwardedPath,
  functionTarget,
  untilBegun,
} from './function-request.js';
import { methodNotAllowed } from './function-errors.js';
import { FunctionsErrorFilter } from './functions-error.filter.js';
import { requireSecretKey } from './preview.js';
import { requireJwt } from './verify-jwt.js';
import { WebSockets } from './web-sockets.js';

/** The way into functions over HTTP: any method, any path below the function's name, streams both ways. */
@Controller('functions/v1')
@LeavesBadCredentials(true)
@UseFilters(FunctionsErrorFilter)
export class FunctionsController {
  constructor(
    private readonly deployments: ActiveDeployments,
    private readonly invokeFunction: InvokeFunction,
    private readonly webSockets: WebSockets,
    private readonly acceptCall: AcceptCall,
  ) {}

  @All()
  async missing(@Res() reply: FastifyReply): Promise<void> {
    await reply.status(400).send({ msg: 'missing function name in request' });
  }

  @All('*')
  async call(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    // A Request of the Fetch standard cannot have these methods (§2.2.1).
    if (/^(TRACE|CONNECT)$/.test(request.method)) throw methodNotAllowed(request.method);
    const { slug, number, path } = functionTarget(request.raw.url!);
    if (slug === '') return this.missing(reply);
    const { project, caller, requestId } = request.galley;
    if (number !== undefined) requireSecretKey(request);
    const deployment = await this.deployments.find(project, slug, { number });
    const { manifest } = deployment;
    // A browser's preflight carries no token (Fetch standard §4.8); the function answers it.
    if (manifest.verify_jwt && request.method !== 'OPTIONS') requireJwt(request);
    if (number === undefined && prefersAsync(request))
      return this.acceptCall.accept(request, reply, deployment, path);
    const headers = forwardedHeaders(request, manifest);
    const body = boundedBody(request);
    const upgrade = upgradeOf(request.raw);
    if (upgrade) this.webSockets.checkRoom();
    const cancellation = untilDisconnect(reply);
    if (body) await untilBegun(body);
    const invocationId = newId();
    // Also of an answer of our own: what it is about is recorded under this id.
    void reply.headers({ 'x-galley-invocation-id': invocationId, 'x-sb-edge-region': region });
    const response = await this.invokeFunction
      .invoke(project, deployment, {
        invocationId,
        slug,
        request: {
          method: request.method,
          path: forwardedPath(request, manifest, path),
          headers,
          body: body?.stream ?? null,
          cancellation,
          isUpgrade: upgrade !== undefined,
        },
        requestId,
        rootId: rootOf(caller, requestId),
        depth: caller.depth,
      })
      .catch((error: unknown) => {
        if (hasNoRecord(error)) void reply.removeHeader('x-galley-invocation-id');
        const problem = body?.stream.errored;
        body?.stream.destroy();
        throw problem instanceof AppError ? problem : error;
      });
    if (upgrade && response.socket) await this.webSockets.open(reply, upgrade, response);
    else answer(reply, response);
  }
}

/** Cancelled when the client goes away before it has the whole answer. */
function untilDisconnect(reply: FastifyReply): Cancellation {
  const gone = new Cancellation();
  const { raw } = reply;
  // One that left while we looked who calls what has said so already.
  if (raw.destroyed) gone.cancel(undefined);
  raw.once('close', () => {
    if (!raw.writableFinished) gone.cancel(undefined);
  });
  return gone;
}

function answer(reply: FastifyReply, { status, headers, body }: InvocationResponse): void {
  // Supabase's code for an answer of the function's own that tells of its failure.
  if (status >= 500) void reply.header('sb-error-code', 'EDGE_FUNCTION_ERROR');
  const own = reply.getHeaders() as Record<string, string>;
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(status, { ...headers, ...own });
  if (Buffer.isBuffer(body)) sendWhole(body, raw);
  else send(body, raw);
}

function sendWhole(body: Buffer, raw: ServerResponse): void {
  if (body.length > limits.responseBodyBytes) raw.destroy();
  // Together with what else is answered in this turn: a client that is woken for each answer costs more than that.
  else setImmediate(() => raw.end(body));
}

/**
 * Headers go out at once, so that a client of server-sent events is not kept waiting for the first of them; what the
 * function says together with them goes in the same packet. An answer that breaks off in the middle can be told only by
 * breaking the connection.
 */
function send(body: Readable, raw: ServerResponse): void {
  let sizeBytes = 0;
  raw.cork();
  raw.flushHeaders();
  setImmediate(() => raw.uncork());
  body.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes > limits.responseBodyBytes) raw.destroy();
    else if (!raw.write(chunk)) body.pause();
  });
  raw.on('drain', () => body.resume());
  raw.once('close', () => body.destroy());
  finished(body, (error) => {
    if (error) raw.destroy();
    else raw.end();
  });
  if (raw.destroyed) body.destroy();
}

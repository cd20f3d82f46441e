import { All, Controller, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { Abandonment, TextBodyGuard } from '#libs/platform';
import { UsageLedger } from '#libs/usage';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { setImmediate as turnOfEvents } from 'node:timers/promises';
import type { HttpRequest } from '../request/http-request.js';
import type { HttpResponse } from '../response/http-response.js';
import { RestConfiguration } from '../settings/rest-configuration.js';
import { RestErrorFilter } from './rest-error.filter.js';
import { RestCallerGuard } from './rest-caller.guard.js';
import { rest } from './rest.js';
import { ServerTiming } from './server-timing.js';

const prefix = '/rest/v1';

/** Tables, views and functions of the project's database under `/rest/v1`, by PostgREST's protocol. */
@Controller()
@UseGuards(RestCallerGuard, TextBodyGuard)
@UseFilters(RestErrorFilter)
export class RestController {
  constructor(
    private readonly ledger: UsageLedger,
    private readonly configuration: RestConfiguration,
  ) {}

  @All(['rest/v1', 'rest/v1/*'])
  async handle(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { project, caller, requestId } = request.galley;
    const abandonment = abandonmentOf(reply);
    const onRows = (kind: 'read' | 'written', rows: number) =>
      this.ledger.addMeter(project.ref, `rows_${kind}`, rows, new Date());
    const settings = await this.configuration.of(project).current();
    const { serverTraceHeader: traced } = settings;
    if (traced !== undefined) void reply.header(traced, request.headers[traced] ?? '');
    const http = httpRequestOf(request);
    const { database } = project;
    const execution = { project, database, caller, requestId, http, settings, abandonment, onRows };
    const response = await rest(execution, new ServerTiming(reply.elapsedTime));
    // Together with what else is answered in this turn: to wake a client for each answer costs a tenth of all calls.
    await turnOfEvents();
    sendResponse(reply, response);
  }
}

/** Happens when the connection closes before all of the answer is written. */
function abandonmentOf({ raw }: FastifyReply): Abandonment {
  const abandonment = new Abandonment();
  if (raw.destroyed) abandonment.happen();
  raw.once('close', () => {
    if (!raw.writableFinished) abandonment.happen();
  });
  return abandonment;
}

/** Sends `response` as it is: its body has been written by PostgreSQL already. */
function sendResponse(reply: FastifyReply, { status, headers, body }: HttpResponse): void {
  const type = headers['content-type'];
  // Fastify adds a charset to texts in JSON; a function that chose the type said what it meant.
  const isExact = typeof body === 'string' && type !== undefined && !type.includes('charset');
  // Node.js writes headers together with a text, and then as UTF-8, which the name of a schema is already.
  const isEncoded = /[^\x20-\x7e]/.test(String(headers['content-profile'] ?? ''));
  void reply
    .status(status)
    .headers(headers)
    .send(typeof body === 'string' && (isExact || isEncoded) ? Buffer.from(body) : body);
}

function httpRequestOf(request: FastifyRequest): HttpRequest {
  const url = request.raw.url ?? '';
  const question = url.indexOf('?');
  const path = question === -1 ? url : url.slice(0, question);
  const { headers, body } = request;
  return {
    method: request.method,
    path: path.slice(prefix.length).replace(/^\//, ''),
    query: question === -1 ? '' : url.slice(question + 1),
    headers: headers as Record<string, string | undefined>,
    body: typeof body === 'string' || Buffer.isBuffer(body) ? body : undefined,
  };
}

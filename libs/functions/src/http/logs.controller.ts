import { Controller, Get, Param, Req, Res, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  PlatformDatabase,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { FunctionLogs } from '../logs/function-logs.js';
import { isDeployed, type WrittenLogLine } from '../logs/log-lines.sql.js';
import { LogTails } from '../logs/log-tails.js';
import { searchLogs } from '../logs/search-logs.js';
import { checkSlug } from '../manifest/slug.js';
import { eventStreamHeaders } from './event-stream.js';
import { cursorAfter, parseListQuery, parseTailQuery } from './log-query.js';

/** What functions wrote, and what the platform says of them, for holders of the project's secret key. */
@Controller('v1/projects/:ref/functions')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class LogsController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly logs: FunctionLogs,
    private readonly tails: LogTails,
  ) {}

  @Get('logs')
  listAll(@CurrentProject() { ref }: Project, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#list({ projectRef: ref }, request, reply);
  }

  @Get('logs/tail')
  tailAll(@CurrentProject() { ref }: Project, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#tail({ projectRef: ref }, request, reply);
  }

  @Get(':slug/logs')
  async list(
    @CurrentProject() { ref }: Project,
    @Param('slug') slug: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    return this.#list(await this.#existing(ref, slug), request, reply);
  }

  @Get(':slug/logs/tail')
  async tail(
    @CurrentProject() { ref }: Project,
    @Param('slug') slug: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    return this.#tail(await this.#existing(ref, slug), request, reply);
  }

  /** The next page, if there may be one, is named by a `Link` header (RFC 8288). */
  async #list(
    of: { projectRef: string; functionSlug?: string },
    request: FastifyRequest,
    reply: FastifyReply,
  ) {
    const { filter, page } = parseListQuery(request.query);
    await this.logs.flush();
    const lines = await searchLogs(this.database, { ...of, ...filter }, page);
    if (lines.length === page.limit) {
      const next = new URL(request.url, 'http://server');
      next.searchParams.set('cursor', cursorAfter(lines.at(-1)!));
      void reply.header('link', `<${next.pathname}${next.search}>; rel="next"`);
    }
    await reply.send(lines.map(lineJson));
  }

  async #tail(
    of: { projectRef: string; functionSlug?: string },
    request: FastifyRequest,
    reply: FastifyReply,
  ) {
    const { filter, start } = parseTailQuery(request.query, request.headers['last-event-id']);
    // Fastify answers HEAD by the same route, and would read the tail without end.
    const events =
      request.method === 'HEAD' ? '' : await this.tails.open({ ...of, ...filter }, start, lineJson);
    await reply.headers(eventStreamHeaders).send(events);
  }

  async #existing(projectRef: string, slug: string) {
    if (await isDeployed(this.database, projectRef, checkSlug(slug)))
      return { projectRef, functionSlug: slug };
    throw new AppError({ code: 'not_found', status: 404, message: `There is no function ${slug}` });
  }
}

function lineJson(line: WrittenLogLine) {
  return {
    id: line.id,
    function: line.functionSlug,
    deployment: line.deployment,
    deployment_id: line.deploymentId,
    invocation_id: line.invocationId,
    source: line.source,
    level: line.level,
    message: line.message,
    at: line.at,
  };
}

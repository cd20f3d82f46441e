import { Controller, Get, Param, Req, UseGuards } from '@nestjs/common';
import { AppError, isId, LeavesBadCredentials, PlatformDatabase, ProjectRefGuard } from '#libs/platform';
import type { FastifyRequest } from 'fastify';
import { isUtf8 } from 'node:buffer';
import { limits } from '../limits.js';
import { findCall, type Call } from './calls.sql.js';
import { callerName } from './kept-request.js';

/** What became of calls that are answered later: for who called, and for the project's secret key. */
@Controller('v1/projects/:ref/calls')
@LeavesBadCredentials(true)
@UseGuards(ProjectRefGuard)
export class CallsController {
  constructor(private readonly database: PlatformDatabase) {}

  /** A call of somebody else is missing, as one is that there never was. */
  @Get(':id')
  async find(@Req() request: FastifyRequest, @Param('id') id: string) {
    const { project, caller } = request.galley;
    const call = isId(id) ? await findCall(this.database, project.ref, id) : undefined;
    if (call && (caller.kind === 'service' || call.caller === callerName(request))) return callJson(call);
    throw new AppError({ code: 'not_found', status: 404, message: `There is no call ${id}` });
  }
}

function callJson(call: Call) {
  return {
    id: call.id,
    function: call.functionSlug,
    state: call.state,
    attempts: call.attempts,
    error: call.lastError,
    created_at: call.createdAt,
    finished_at: call.finishedAt,
    /** Of the last try that was answered. */
    response: call.responseStatus === null ? null : responseJson(call.responseStatus, call),
  };
}

function responseJson(status: number, { responseHeaders: headers, responseBody: body }: Call) {
  if (body === null) {
    return { status, headers, body: null, left_out: `larger than ${limits.keptAnswerBytes} bytes` };
  }
  const encoding = isUtf8(body) ? 'utf8' : 'base64';
  return { status, headers, body: body.toString(encoding), encoding };
}

import { Controller, Get, Put, Req, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { JsonBodyGuard, KeyRequiredGuard } from '#libs/platform';
import { AuthErrorFilter } from './auth-error.filter.js';
import { clientOf } from './client.js';
import { currentSession } from './current-session.js';
import { AuthLimits } from './limits.js';
import { throttle } from './rate-limiter.js';
import { parseBody, updateUserRequest } from './requests.js';
import { UpdateUser } from './update-user.js';
import { userJson } from './users/user.js';

/** The signed-in person's own account. */
@Controller('auth/v1/user')
@UseGuards(KeyRequiredGuard, JsonBodyGuard)
@UseFilters(AuthErrorFilter)
export class UserController {
  constructor(
    private readonly limits: AuthLimits,
    private readonly updates: UpdateUser,
  ) {}

  @Get()
  async read(@Req() request: FastifyRequest): Promise<object> {
    const { user } = await currentSession(request);
    return userJson(user);
  }

  @Put()
  async update(@Req() request: FastifyRequest): Promise<object> {
    const { project, requestId, caller } = request.galley;
    throttle(project, 'user', this.limits.userUpdates, request.ip);
    const current = await currentSession(request);
    const body = parseBody(updateUserRequest, request.body);
    const user = await this.updates.update(project, current, body, clientOf(request), { requestId, caller });
    return userJson(user);
  }
}

import { Controller, HttpCode, Post, Req, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { JsonBodyGuard, KeyRequiredGuard } from '#libs/platform';
import { AuthErrorFilter } from './auth-error.filter.js';
import { clientOf } from './client.js';
import { currentSession } from './current-session.js';
import { unsupportedGrantType, validationFailed } from './errors.js';
import { AuthLimits } from './limits.js';
import { weaknessOf } from './passwords/password-strength.js';
import { throttle } from './rate-limiter.js';
import {
  logoutScope,
  parseBody,
  passwordGrantRequest,
  refreshGrantRequest,
  signUpRequest,
} from './requests.js';
import { refreshSession } from './sessions/refresh-session.js';
import { SessionResponses, type SessionResponse } from './sessions/session-response.js';
import { SignIn } from './sign-in.js';
import { signOut } from './sign-out.js';
import { SignUp } from './sign-up.js';

/** Where sessions begin, go on and end. */
@Controller('auth/v1')
@UseGuards(KeyRequiredGuard, JsonBodyGuard)
@UseFilters(AuthErrorFilter)
export class SessionsController {
  constructor(
    private readonly limits: AuthLimits,
    private readonly signUps: SignUp,
    private readonly signIns: SignIn,
    private readonly responses: SessionResponses,
  ) {}

  @Post('signup')
  @HttpCode(200)
  async signUp(@Req() request: FastifyRequest): Promise<SessionResponse> {
    const { project, requestId, caller } = request.galley;
    throttle(project, 'sign-up', this.limits.signUps, request.ip);
    const body = parseBody(signUpRequest, request.body);
    const open = await this.signUps.signUp(project, body, clientOf(request), { requestId, caller });
    return this.responses.of(project, open);
  }

  @Post('token')
  @HttpCode(200)
  async token(@Req() request: FastifyRequest): Promise<SessionResponse> {
    switch (queryOf(request)['grant_type']) {
      case 'password':
        return this.#passwordGrant(request);
      case 'refresh_token':
        return this.#refreshGrant(request);
      default:
        throw unsupportedGrantType();
    }
  }

  async #passwordGrant(request: FastifyRequest): Promise<SessionResponse> {
    const { project } = request.galley;
    throttle(project, 'password', this.limits.passwordAttempts, request.ip);
    const body = parseBody(passwordGrantRequest, request.body);
    const open = await this.signIns.signIn(project, body, clientOf(request), request.galley);
    const response = await this.responses.of(project, open);
    // Told, not refused: the password was accepted under older rules.
    const weakness = weaknessOf(body.password);
    return weakness
      ? { ...response, weak_password: { message: weakness.message, reasons: weakness.reasons } }
      : response;
  }

  async #refreshGrant(request: FastifyRequest): Promise<SessionResponse> {
    const { project } = request.galley;
    throttle(project, 'refresh', this.limits.refreshes, request.ip);
    const { refresh_token: refreshToken } = parseBody(refreshGrantRequest, request.body);
    return this.responses.of(project, await refreshSession(project, refreshToken, clientOf(request)));
  }

  @Post('logout')
  @HttpCode(204)
  async logout(@Req() request: FastifyRequest): Promise<void> {
    const asked = queryOf(request)['scope'] || 'global';
    const scope = logoutScope.safeParse(asked);
    if (!scope.success) throw validationFailed(`Unsupported logout scope ${JSON.stringify(asked)}`);
    await signOut(request.galley.project, await currentSession(request), scope.data, clientOf(request));
  }
}

function queryOf(request: FastifyRequest): Record<string, unknown> {
  return request.query as Record<string, unknown>;
}

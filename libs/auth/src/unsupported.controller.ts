import { All, Controller, Req, UseFilters } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AuthErrorFilter } from './auth-error.filter.js';
import { notAdmin } from './errors.js';
import { refusalOfRoute } from './unsupported-routes.js';

/** Everything below `/auth/v1` that no other controller answers. */
@Controller('auth/v1')
@UseFilters(AuthErrorFilter)
export class UnsupportedController {
  @All('*')
  refuse(@Req() request: FastifyRequest): never {
    const path = request.url.split('?')[0]!.slice('/auth/v1/'.length).replace(/\/+$/, '');
    const forAdmins = path === 'invite' || path.startsWith('admin/');
    if (forAdmins && request.galley.caller.kind !== 'service') throw notAdmin('User not allowed');
    throw refusalOfRoute(request.method, path);
  }
}

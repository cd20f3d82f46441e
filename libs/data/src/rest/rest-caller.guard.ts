import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { KeyRequiredGuard } from '#libs/platform';
import type { FastifyRequest } from 'fastify';
import { RestConfiguration } from '../settings/rest-configuration.js';
import { restCaller } from './rest-caller.js';

/**
 * Refuses requests that carry neither a key nor a token unless there is an anonymous role for them, and looks for the
 * role where the settings say.
 */
@Injectable()
export class RestCallerGuard implements CanActivate {
  constructor(private readonly configuration: RestConfiguration) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { galley } = context.switchToHttp().getRequest<FastifyRequest>();
    const settings = await this.configuration.of(galley.project).current();
    galley.caller = restCaller(galley.caller, settings);
    const isAnonymous = galley.caller.kind === 'keyless' && settings.anonRole !== undefined;
    return isAnonymous || new KeyRequiredGuard().canActivate(context);
  }
}

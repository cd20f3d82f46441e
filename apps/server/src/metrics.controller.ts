import {
  Controller,
  Get,
  Header,
  Inject,
  Injectable,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import {
  CONFIG,
  LeavesBadCredentials,
  Metrics,
  sameSecret,
  ServiceOnlyGuard,
  type Config,
} from '#libs/platform';
import type { FastifyRequest } from 'fastify';

/** Admits `GALLEY_METRICS_TOKEN` and whomever {@link ServiceOnlyGuard} does. */
@Injectable()
class MetricsGuard implements CanActivate {
  readonly #serviceOnly = new ServiceOnlyGuard();

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers, galley } = context.switchToHttp().getRequest<FastifyRequest>();
    const { metricsToken } = this.config;
    if (metricsToken !== undefined && sameSecret(headers.authorization ?? '', `Bearer ${metricsToken}`))
      return true;
    if (galley.credentialError) throw galley.credentialError;
    return this.#serviceOnly.canActivate(context);
  }
}

@Controller()
@LeavesBadCredentials(true)
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  /** Prometheus text format 0.0.4. A credential is needed, since the labels name functions. */
  @Get('metrics')
  @UseGuards(MetricsGuard)
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  prometheus(): Promise<string> {
    return this.metrics.registry.metrics();
  }
}

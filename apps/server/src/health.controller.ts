import { Controller, Get, Header, UseGuards } from '@nestjs/common';
import { FunctionRuntime } from '#libs/functions';
import { Metrics, PlatformDatabase, ProjectRegistry, ServiceOnlyGuard } from '#libs/platform';

/** What an operator's machinery asks. */
@Controller()
export class HealthController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly projects: ProjectRegistry,
    private readonly runtime: FunctionRuntime,
    private readonly metrics: Metrics,
  ) {}

  /** 200 when the databases answer; also the level of isolation that functions really get on this host. */
  @Get('health')
  async health() {
    await this.database.query('select 1');
    await Promise.all(this.projects.all().map((project) => project.database.query('select 1')));
    return { status: 'ok', isolation: this.runtime.isolation() };
  }

  /** Prometheus text format 0.0.4. The secret key is needed, since the labels name functions. */
  @Get('metrics')
  @UseGuards(ServiceOnlyGuard)
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  prometheus(): Promise<string> {
    return this.metrics.registry.metrics();
  }
}

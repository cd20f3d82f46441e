import { Controller, Get } from '@nestjs/common';
import { FunctionRuntime } from '#libs/functions';
import { PlatformDatabase, ProjectRegistry } from '#libs/platform';

/** What an operator's machinery asks. */
@Controller()
export class HealthController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly projects: ProjectRegistry,
    private readonly runtime: FunctionRuntime,
  ) {}

  /** 200 when the databases answer; also the level of isolation that functions really get on this host. */
  @Get('health')
  async health() {
    await this.database.query('select 1');
    await Promise.all(this.projects.all().map((project) => project.database.query('select 1')));
    return { status: 'ok', isolation: this.runtime.isolation() };
  }

  /** 200 while this process answers at all: to start it anew mends no database. */
  @Get('health/live')
  live() {
    return { status: 'ok' };
  }
}

import { Controller, Get, UseGuards } from '@nestjs/common';
import {
  Context,
  CurrentProject,
  PlatformDatabase,
  ProjectRefGuard,
  ProjectRegistry,
  ServiceOnlyGuard,
  type Project,
  type RequestContext,
} from '#libs/platform';

/** What Supabase's CLI asks about projects before it works on one. */
@Controller('v1/projects')
@UseGuards(ServiceOnlyGuard)
export class ProjectsController {
  constructor(
    private readonly projects: ProjectRegistry,
    private readonly database: PlatformDatabase,
  ) {}

  /** All, to a personal access token; its own, to a key. */
  @Get()
  list(@Context() { caller, project }: RequestContext) {
    const visible = caller.kind === 'manager' ? this.projects.all() : [project];
    return Promise.all(visible.map((one) => this.#projectJson(one)));
  }

  @Get(':ref')
  @UseGuards(ProjectRefGuard)
  find(@CurrentProject() project: Project) {
    return this.#projectJson(project);
  }

  /** There are no organizations and regions here; clients that group by them get one of each. */
  async #projectJson(project: Project) {
    const { createdAt } = await this.database.prisma.project.findUniqueOrThrow({
      where: { ref: project.ref },
    });
    const { rows } = await project.database.query<{ version: string }>(
      `select current_setting('server_version') as version`,
    );
    const version = rows[0]!.version.split(' ')[0]!;
    return {
      id: project.longRef,
      ref: project.longRef,
      organization_id: 'galley',
      organization_slug: 'galley',
      name: project.ref,
      region: 'local',
      status: 'ACTIVE_HEALTHY',
      database: {
        host: new URL(project.apiUrl).hostname,
        version,
        postgres_engine: version.split('.')[0],
        release_channel: 'ga',
      },
      created_at: createdAt,
    };
  }
}

import { Controller, Delete, Get, HttpCode, Param, ParseIntPipe, Post, Req, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  PlatformDatabase,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import type { FastifyRequest } from 'fastify';
import { Activations } from '../deploy/activations.js';
import { listDeployments, listFunctions, type FunctionSummary } from '../deploy/deployments.sql.js';
import { limits } from '../limits.js';
import { checkSlug } from '../manifest/slug.js';
import { functionJson, deploymentJson } from './function-json.js';
import { checkServiceRoleOf } from './service-role.js';

/** Functions of a project, for holders of its secret key; the shapes are those of Supabase's management API. */
@Controller('v1/projects/:ref/functions')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class ManagementController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly activations: Activations,
  ) {}

  @Get()
  async list(@CurrentProject() project: Project) {
    return (await this.activations.list(project)).map(functionJson);
  }

  @Get(':slug')
  async find(@CurrentProject() { ref }: Project, @Param('slug') slug: string) {
    return functionJson(await this.#existing(ref, slug));
  }

  @Delete(':slug')
  async remove(@CurrentProject() project: Project, @Param('slug') slug: string) {
    await this.activations.remove(project, checkSlug(slug));
    return { message: 'ok' };
  }

  /** The newest first; those of a function that is out of service too, so that one of them can bring it back. */
  @Get(':slug/deployments')
  async deployments(@CurrentProject() { ref }: Project, @Param('slug') slug: string) {
    const deployments = await listDeployments(this.database, ref, checkSlug(slug), limits.listedDeployments);
    if (deployments.length === 0) throw missing(slug);
    const [found] = await listFunctions(this.database, ref, slug);
    return deployments.map((deployment) => ({
      ...deploymentJson(deployment),
      active: deployment.id === found?.active.id,
    }));
  }

  /** Makes an earlier deployment answer again, or a later one. */
  @Post(':slug/deployments/:number/activate')
  @HttpCode(200)
  async activate(
    @CurrentProject() project: Project,
    @Param('slug') slug: string,
    @Param('number', ParseIntPipe) number: number,
    @Req() request: FastifyRequest,
  ) {
    const names = [{ slug: checkSlug(slug), number }];
    await checkServiceRoleOf(this.database, project.ref, request.galley.caller, names);
    return functionJson(await this.activations.activate(project, slug, number));
  }

  async #existing(ref: string, slug: string): Promise<FunctionSummary> {
    const [found] = await listFunctions(this.database, ref, checkSlug(slug));
    if (found) return found;
    throw missing(slug);
  }
}

function missing(slug: string): AppError {
  return new AppError({ code: 'not_found', status: 404, message: `There is no function ${slug}` });
}

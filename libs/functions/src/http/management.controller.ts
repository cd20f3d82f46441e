import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  ParseIntPipe,
  Post,
  Query,
  Req,
  UseGuards,
} from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  parseInput,
  PlatformDatabase,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DeployFunction } from '../deploy/deploy-function.js';
import {
  listDeployments,
  listFunctions,
  type DeploymentSummary,
  type FunctionSummary,
} from '../deploy/deployments.sql.js';
import { limits } from '../limits.js';
import { checkSlug } from '../manifest/slug.js';
import { previewName } from './preview.js';
import { readDeployForm } from './deploy-form.js';

/** Strict: `bundleOnly`, say, would deploy nothing, and here it is not to be had. */
const deployQuery = z.strictObject({
  slug: z.string().optional(),
  activate: z.enum(['true', 'false']).default('true'),
});

/** Functions of a project, for holders of its secret key; the shapes are those of Supabase's management API. */
@Controller('v1/projects/:ref/functions')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class ManagementController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly deployFunction: DeployFunction,
  ) {}

  @Post('deploy')
  @HttpCode(201)
  async deploy(@CurrentProject() project: Project, @Query() query: unknown, @Req() request: FastifyRequest) {
    const { slug, activate } = parseInput(deployQuery, query);
    const deployRequest = await readDeployForm(request.body, request.headers['content-type'], slug);
    const deployed = await this.deployFunction.deploy(project, {
      ...deployRequest,
      activate: activate === 'true',
    });
    const { deployment, created } = deployed;
    // What does not answer yet is told of as itself, with the name to call it by.
    return deployed.function?.active.id === deployment.id
      ? { ...functionJson(deployed.function), created }
      : { ...deploymentJson(deployment), slug: deployment.slug, active: false, created };
  }

  @Get()
  async list(@CurrentProject() project: Project) {
    return (await this.deployFunction.list(project)).map(functionJson);
  }

  @Get(':slug')
  async find(@CurrentProject() { ref }: Project, @Param('slug') slug: string) {
    return functionJson(await this.#existing(ref, slug));
  }

  @Delete(':slug')
  async remove(@CurrentProject() project: Project, @Param('slug') slug: string) {
    await this.deployFunction.remove(project, checkSlug(slug));
    return {};
  }

  /** The newest first. */
  @Get(':slug/deployments')
  async deployments(@CurrentProject() { ref }: Project, @Param('slug') slug: string) {
    const deployments = await listDeployments(this.database, ref, checkSlug(slug), limits.listedDeployments);
    if (deployments.length === 0) throw notFound(slug);
    const [found] = await listFunctions(this.database, ref, slug);
    return deployments.map((deployment) => ({
      ...deploymentJson(deployment),
      created_at: deployment.createdAt.getTime(),
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
  ) {
    return functionJson(await this.deployFunction.activate(project, checkSlug(slug), number));
  }

  async #existing(ref: string, slug: string): Promise<FunctionSummary> {
    const [found] = await listFunctions(this.database, ref, checkSlug(slug));
    if (found) return found;
    throw notFound(slug);
  }
}

function notFound(slug: string): AppError {
  return new AppError({ code: 'not_found', status: 404, message: `There is no function ${slug}` });
}

/** Times in milliseconds, as Supabase has them. */
function functionJson(fn: FunctionSummary) {
  return {
    ...deploymentJson(fn.active),
    slug: fn.slug,
    name: fn.slug,
    status: 'ACTIVE',
    created_at: fn.createdAt.getTime(),
    updated_at: fn.updatedAt.getTime(),
    verify_jwt: (fn.active.manifest as { verify_jwt: boolean }).verify_jwt,
  };
}

function deploymentJson(deployment: DeploymentSummary) {
  return {
    id: deployment.id,
    version: deployment.number,
    preview: previewName(deployment),
    entrypoint_path: deployment.entrypoint,
    import_map: deployment.importMap !== null,
    import_map_path: deployment.importMap,
    ezbr_sha256: deployment.sha256,
    galley: deployment.manifest,
  };
}

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
import { AppError, CurrentProject, PlatformDatabase, ServiceOnlyGuard, type Project } from '#libs/platform';
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
import { FunctionLogs } from '../logs/function-logs.js';
import { readDeployForm } from './deploy-form.js';
import { invalidRequest, requireProject } from './require-project.js';

/** Strict: `bundleOnly`, say, would deploy nothing, and here it is not to be had. */
const deployQuery = z.strictObject({ slug: z.string().optional() });
const logQuery = z.object({
  invocation_id: z.uuid().optional(),
  level: z.enum(['debug', 'info', 'warn', 'error']).optional(),
  limit: z.coerce.number().int().min(1).max(limits.listedLogLines).default(100),
});

/** Functions of a project, for holders of its secret key; the shapes are those of Supabase's management API. */
@Controller('v1/projects/:ref/functions')
@UseGuards(ServiceOnlyGuard)
export class ManagementController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly deployFunction: DeployFunction,
    private readonly logs: FunctionLogs,
  ) {}

  @Post('deploy')
  @HttpCode(201)
  async deploy(
    @CurrentProject() project: Project,
    @Param('ref') ref: string,
    @Query() query: unknown,
    @Req() request: FastifyRequest,
  ) {
    requireProject(project, ref);
    const parsed = deployQuery.safeParse(query);
    if (!parsed.success) throw invalidRequest(z.prettifyError(parsed.error));
    const { slug } = parsed.data;
    const deployRequest = await readDeployForm(request.body, request.headers['content-type'], slug);
    const deployed = await this.deployFunction.deploy(project, deployRequest);
    return { ...functionJson(deployed.function), created: deployed.created };
  }

  @Get()
  async list(@CurrentProject() project: Project, @Param('ref') ref: string) {
    requireProject(project, ref);
    const functions = await this.database.transaction((tx) => listFunctions(tx, ref));
    return functions.map(functionJson);
  }

  @Get(':slug')
  async find(@CurrentProject() project: Project, @Param('ref') ref: string, @Param('slug') slug: string) {
    return functionJson(await this.#existing(project, ref, slug));
  }

  @Delete(':slug')
  async remove(@CurrentProject() project: Project, @Param('ref') ref: string, @Param('slug') slug: string) {
    requireProject(project, ref);
    await this.deployFunction.remove(project, checkSlug(slug));
    return {};
  }

  /** The newest first. */
  @Get(':slug/deployments')
  async deployments(
    @CurrentProject() project: Project,
    @Param('ref') ref: string,
    @Param('slug') slug: string,
  ) {
    const { active } = await this.#existing(project, ref, slug);
    const deployments = await this.database.transaction((tx) =>
      listDeployments(tx, ref, slug, limits.listedDeployments),
    );
    return deployments.map((deployment) => ({
      ...deploymentJson(deployment),
      created_at: deployment.createdAt.getTime(),
      active: deployment.id === active.id,
    }));
  }

  /** Makes an earlier deployment answer again, or a later one. */
  @Post(':slug/deployments/:number/activate')
  @HttpCode(200)
  async activate(
    @CurrentProject() project: Project,
    @Param('ref') ref: string,
    @Param('slug') slug: string,
    @Param('number', ParseIntPipe) number: number,
  ) {
    requireProject(project, ref);
    return functionJson(await this.deployFunction.activate(project, checkSlug(slug), number));
  }

  /** What the function wrote, the newest first. */
  @Get(':slug/logs')
  async readLogs(
    @CurrentProject() project: Project,
    @Param('ref') ref: string,
    @Param('slug') slug: string,
    @Query() query: unknown,
  ) {
    requireProject(project, ref);
    const parsed = logQuery.safeParse(query);
    if (!parsed.success) throw invalidRequest(z.prettifyError(parsed.error));
    const { invocation_id: invocationId, level, limit } = parsed.data;
    return this.logs.list(ref, checkSlug(slug), { invocationId, level, limit });
  }

  async #existing(project: Project, ref: string, slug: string): Promise<FunctionSummary> {
    requireProject(project, ref);
    const [found] = await this.database.transaction((tx) => listFunctions(tx, ref, checkSlug(slug)));
    if (found) return found;
    throw new AppError({ code: 'not_found', status: 404, message: `There is no function ${slug}` });
  }
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
    entrypoint_path: deployment.entrypoint,
    import_map: deployment.importMap !== null,
    import_map_path: deployment.importMap,
    ezbr_sha256: deployment.sha256,
    galley: deployment.manifest,
  };
}

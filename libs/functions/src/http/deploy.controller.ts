import {
  Controller,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  LOGGER,
  parseInput,
  PlatformDatabase,
  ProjectRefGuard,
  readJson,
  ServiceOnlyGuard,
  type Logger,
  type Project,
} from '#libs/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { Activations } from '../deploy/activations.js';
import { DeployFunction, type Deployed, type DeployRequest } from '../deploy/deploy-function.js';
import { listFunctions } from '../deploy/deployments.sql.js';
import { limits } from '../limits.js';
import { parseManifest } from '../manifest/manifest.js';
import { checkSlug } from '../manifest/slug.js';
import { buildLineJson } from './build-json.js';
import { checkBulkUpdate } from './bulk-update.js';
import { functionName, readDeployForm, requiredSlug, unchecked } from './deploy-form.js';
import { EventStream, wantsEventStream } from './event-stream.js';
import { invalidRequest } from './function-errors.js';
import { deploymentJson, functionJson } from './function-json.js';
import { checkServiceRole, checkServiceRoleOf } from './service-role.js';

const booleanText = z.enum(['true', 'false']).transform((text) => text === 'true');
const deployQuery = z.strictObject({
  slug: z.string().optional(),
  activate: booleanText.optional(),
  /** Supabase's name for the contrary of `activate`. */
  bundleOnly: booleanText.optional(),
});
/** The other parameters of Supabase's API tell of an eszip, which is refused. */
const createQuery = z.strictObject({
  slug: z.string().optional(),
  name: functionName.optional(),
  verify_jwt: booleanText.optional(),
});
const createBody = z.strictObject({
  slug: z.string().optional(),
  name: functionName.optional(),
  verify_jwt: z.boolean().optional(),
  body: z.string(),
});
const changeBody = z.strictObject(createBody.omit({ slug: true }).partial().shape, {
  error: (issue) =>
    issue.code === 'unrecognized_keys'
      ? `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}; expected name, verify_jwt or body. ` +
        'The settings of galley.toml change by deploying: `galley functions deploy`, or POST /v1/projects/local/functions/deploy'
      : undefined,
});

/** Writing functions, in the shape of Supabase's management API. */
@Controller('v1/projects/:ref/functions')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class DeployController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly deployFunction: DeployFunction,
    private readonly activations: Activations,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Builds the sources and makes them answer; with `activate=false`, or `bundleOnly=true`, the deployment is only recorded:
   * to be previewed, or for `PUT` to activate several together. With `Accept: text/event-stream` the build's log comes while it runs, then `deployed`
   * or `error`.
   */
  @Post('deploy')
  async deploy(
    @CurrentProject() project: Project,
    @Query() query: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { slug, bundleOnly = false, activate = !bundleOnly } = parseInput(deployQuery, query);
    const form = await readDeployForm(request.body, request.headers['content-type'], slug, async (name) => {
      const [found] = await listFunctions(this.database, project.ref, name);
      return found?.active.manifest;
    });
    checkServiceRole(request.galley.caller, form.slug, form.manifest);
    const deployRequest = { ...form, activate };
    if (wantsEventStream(request.headers.accept)) return this.#streamBuild(project, deployRequest, reply);
    const deployed = await this.deployFunction.deploy(project, deployRequest);
    await reply.status(201).send(deployedJson(deployed));
  }

  /** One module given as text; an eszip, which Supabase's CLI makes where Docker runs, holds no sources. */
  @Post()
  @HttpCode(201)
  async create(@CurrentProject() project: Project, @Query() query: unknown, @Req() request: FastifyRequest) {
    refuseEszip(request);
    const fromQuery = parseInput(createQuery, query);
    const given = { ...parseInput(createBody, await readBodyJson(request)), ...fromQuery };
    const slug = checkSlug(requiredSlug(given.slug));
    const [existing] = await listFunctions(this.database, project.ref, slug);
    if (existing) {
      throw new AppError({ code: 'duplicated_slug', status: 400, message: 'Duplicated function slug' });
    }
    const manifest = parseManifest(slug, {
      ...unchecked,
      ...(given.verify_jwt !== undefined && { verify_jwt: given.verify_jwt }),
    });
    return deployedJson(await this.deployFunction.deploy(project, oneModule(slug, given, manifest)));
  }

  /** Activates recorded deployments of several functions: all, or none. */
  @Put()
  async bulkUpdate(@CurrentProject() project: Project, @Req() request: FastifyRequest) {
    const chosen = await checkBulkUpdate(this.database, project.ref, await readBodyJson(request));
    await checkServiceRoleOf(this.database, project.ref, request.galley.caller, chosen);
    const updated = await this.activations.activateAll(project, chosen);
    return { functions: updated.map(functionJson) };
  }

  /** Changes name, `verify_jwt` or the code of a function of one module; each time a new deployment is made. */
  @Patch(':slug')
  async change(
    @CurrentProject() project: Project,
    @Param('slug') slug: string,
    @Query() query: unknown,
    @Req() request: FastifyRequest,
  ) {
    refuseEszip(request);
    const { slug: sameSlug = slug, ...fromQuery } = parseInput(createQuery, query);
    if (sameSlug !== slug) throw invalidRequest(`slug: expected ${slug}; a function's slug does not change`);
    const changes = { ...parseInput(changeBody, await readBodyJson(request)), ...fromQuery };
    if (Object.keys(changes).length === 0) throw invalidRequest('Expected name, verify_jwt or body');
    const { name, verify_jwt: verifyJwt, body } = changes;
    const [found] = await listFunctions(this.database, project.ref, checkSlug(slug));
    if (!found)
      throw new AppError({ code: 'not_found', status: 404, message: `There is no function ${slug}` });
    checkServiceRole(request.galley.caller, slug, parseManifest(slug, found.active.manifest));
    if (body === undefined)
      return functionJson(await this.deployFunction.change(project, slug, { name, verifyJwt }));
    const manifest = parseManifest(slug, {
      ...(found.active.manifest as object),
      ...unchecked,
      ...(verifyJwt !== undefined && { verify_jwt: verifyJwt }),
    });
    const content = { body, name: name ?? found.active.name ?? undefined };
    return deployedJson(await this.deployFunction.deploy(project, oneModule(slug, content, manifest)));
  }

  /** Takes a function out of service; its deployments stay, and activating one brings it back. */
  @Post(':slug/deactivate')
  @HttpCode(200)
  async deactivate(@CurrentProject() project: Project, @Param('slug') slug: string) {
    if (await this.activations.deactivate(project, checkSlug(slug))) return { slug, status: 'REMOVED' };
    throw new AppError({ code: 'not_found', status: 404, message: `The function ${slug} is not in service` });
  }

  async #streamBuild(project: Project, request: DeployRequest, reply: FastifyReply): Promise<void> {
    let stream: EventStream | undefined;
    const opened = () => (stream ??= new EventStream(reply));
    try {
      const deployed = await this.deployFunction.deploy(project, request, {
        onStart: (id) => opened().send('build', { id }),
        onLine: (line) => opened().send('log', buildLineJson(line), line.number),
      });
      opened().send('deployed', deployedJson(deployed));
    } catch (error) {
      if (!stream) throw error;
      if (!(error instanceof AppError))
        this.logger.error({ err: error, function: request.slug }, 'A build failed');
      const { code, status, message } = error instanceof AppError ? error : internalError;
      stream.send('error', { code, status, message });
    }
    stream?.end();
  }
}

const internalError = { code: 'internal', status: 500, message: 'Internal error' };

/** The function as it is now; of a deployment that was only recorded, what it will be. */
function deployedJson({ deployment, function: fn, created, buildId }: Deployed) {
  const isActive = fn?.active.id === deployment.id;
  const json = isActive ? functionJson(fn) : { ...deploymentJson(deployment), status: 'ACTIVE' };
  return {
    updated_at: deployment.createdAt.getTime(),
    ...json,
    active: isActive,
    created,
    build_id: buildId,
  };
}

function oneModule(
  slug: string,
  { body, name }: { body: string; name?: string | undefined },
  manifest: DeployRequest['manifest'],
): DeployRequest {
  return {
    slug,
    entrypoint: 'index.ts',
    files: new Map([['index.ts', Buffer.from(body)]]),
    manifest,
    name: name === slug ? undefined : name,
  };
}

function refuseEszip(request: FastifyRequest): void {
  if (!request.headers['content-type']?.startsWith('application/vnd.denoland.eszip')) return;
  throw new AppError({
    code: 'unsupported_media_type',
    status: 415,
    message: 'An eszip holds no sources. Deploy the sources: supabase functions deploy --use-api',
  });
}

function readBodyJson(request: FastifyRequest): Promise<unknown> {
  return request.body ? readJson(request.body as Readable, limits.deployBodyBytes) : Promise.resolve({});
}

import { Body, Controller, Get, Param, Put, Req, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  JsonBodyGuard,
  parseInput,
  PlatformDatabase,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Activations } from '../deploy/activations.js';
import { answeringDeployments, listFunctions } from '../deploy/deployments.sql.js';
import { limits } from '../limits.js';
import { checkSlug } from '../manifest/slug.js';
import { previewName } from './preview.js';
import { checkServiceRoleOf } from './service-role.js';

const traffic = z
  .array(z.strictObject({ version: z.int().min(1), percent: z.int().min(1).max(100) }))
  .min(1)
  .max(limits.trafficParts)
  .refine((parts) => new Set(parts.map(({ version }) => version)).size === parts.length, {
    error: 'expected each version once',
  })
  .refine((parts) => parts.reduce((sum, { percent }) => sum + percent, 0) === 100, {
    error: 'expected percentages that make 100 together',
  });

/** Which deployments of a function answer, and for how much of its calls and events. */
@Controller('v1/projects/:ref/functions/:slug/traffic')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard, JsonBodyGuard)
export class TrafficController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly activations: Activations,
  ) {}

  @Get()
  async read(@CurrentProject() { ref }: Project, @Param('slug') slug: string) {
    const [found] = await listFunctions(this.database, ref, checkSlug(slug));
    if (!found)
      throw new AppError({ code: 'not_found', status: 404, message: `There is no function ${slug}` });
    const answering = await answeringDeployments(this.database, ref, slug);
    return answering.map((deployment) => ({
      version: deployment.number,
      percent: deployment.percent,
      id: deployment.id,
      preview: previewName(deployment),
      active: deployment.id === found.active.id,
    }));
  }

  /** Takes effect at once here, and within `limits.activeDeploymentAgeMs` in other processes. */
  @Put()
  async split(
    @CurrentProject() project: Project,
    @Param('slug') slug: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
  ) {
    const parts = parseInput(z.object({ traffic }), { traffic: body }).traffic;
    const shares = parts.map(({ version, percent }) => ({ number: version, percent }));
    const names = shares.map(({ number }) => ({ slug: checkSlug(slug), number }));
    await checkServiceRoleOf(this.database, project.ref, request.galley.caller, names);
    await this.activations.split(project, slug, shares);
    return this.read(project, slug);
  }
}

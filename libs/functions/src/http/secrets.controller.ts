import { Body, Controller, Delete, Get, HttpCode, Post, UseGuards } from '@nestjs/common';
import {
  CurrentProject,
  JsonBodyGuard,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import { z } from 'zod';
import { limits } from '../limits.js';
import { Secrets } from '../secrets/secrets.js';
import { invalidRequest } from './function-errors.js';

const newSecrets = z
  .array(z.strictObject({ name: z.string(), value: z.string() }))
  .min(1)
  .max(limits.secretsPerProject);
const secretNames = z.array(z.string().regex(/^\w+$/)).min(1).max(limits.secretsPerProject);

/** A project's secrets: written, never read back. */
@Controller('v1/projects/:ref/secrets')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard, JsonBodyGuard)
export class SecretsController {
  constructor(private readonly secrets: Secrets) {}

  /** `value` is the SHA-256 of the secret in hex, as Supabase answers. */
  @Get()
  async list(@CurrentProject() { ref }: Project) {
    const digests = await this.secrets.list(ref);
    return digests.map(({ name, sha256, updatedAt }) => ({ name, value: sha256, updated_at: updatedAt }));
  }

  @Post()
  @HttpCode(201)
  async set(@CurrentProject() { ref }: Project, @Body() body: unknown) {
    const parsed = newSecrets.safeParse(body);
    // What was sent is not repeated in the message: it is secret.
    if (!parsed.success) throw invalidRequest('Expected a JSON array of { "name": string, "value": string }');
    await this.secrets.set(ref, new Map(parsed.data.map(({ name, value }) => [name, value])));
    return {};
  }

  @Delete()
  async remove(@CurrentProject() { ref }: Project, @Body() body: unknown) {
    const parsed = secretNames.safeParse(body);
    if (!parsed.success) throw invalidRequest('Expected a JSON array of names');
    await this.secrets.remove(ref, parsed.data);
    return {};
  }
}

import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  JsonBodyGuard,
  parseInput,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import { z } from 'zod';
import { Webhooks } from './webhooks.js';
import type { Webhook } from './webhooks.sql.js';

const unnamed = z.record(z.string(), z.unknown()).refine((named) => !('name' in named), {
  error: 'a webhook keeps its name: what is on its way to it knows it by that',
});

/** URLs that are told of events. For holders of the secret key and of access tokens. */
@Controller('v1/projects/:ref/webhooks')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard, JsonBodyGuard)
export class WebhooksController {
  constructor(private readonly webhooks: Webhooks) {}

  @Get()
  async list(@CurrentProject() project: Project) {
    return (await this.webhooks.list(project)).map(webhookJson);
  }

  @Get(':name')
  async find(@CurrentProject() project: Project, @Param('name') name: string) {
    const found = await this.webhooks.find(project, name);
    if (found) return webhookJson(found);
    throw new AppError({ code: 'not_found', status: 404, message: `There is no webhook ${name}` });
  }

  @Post()
  @HttpCode(201)
  async create(@CurrentProject() project: Project, @Body() body: unknown) {
    return webhookJson(await this.webhooks.create(project, body));
  }

  @Patch(':name')
  async change(@CurrentProject() project: Project, @Param('name') name: string, @Body() body: unknown) {
    return webhookJson(await this.webhooks.change(project, name, parseInput(unnamed, body)));
  }

  /** Makes it what the body says, whether there is one of that name or not; it stays enabled or disabled as it was. */
  @Put(':name')
  async replace(@CurrentProject() project: Project, @Param('name') name: string, @Body() body: unknown) {
    return webhookJson(await this.webhooks.save(project, { ...parseInput(unnamed, body), name }));
  }

  @Delete(':name')
  async remove(@CurrentProject() project: Project, @Param('name') name: string) {
    await this.webhooks.remove(project, name);
    return {};
  }
}

function webhookJson(webhook: Webhook) {
  return {
    name: webhook.name,
    url: webhook.url,
    event: webhook.event,
    ...webhook.filter,
    secret: webhook.secret,
    attempts: webhook.attempts,
    enabled: webhook.disabledReason === null,
    disabled_reason: webhook.disabledReason,
    disabled_at: webhook.disabledAt,
    created_at: webhook.createdAt,
    updated_at: webhook.updatedAt,
  };
}

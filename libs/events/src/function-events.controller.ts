import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
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
import { z } from 'zod';
import {
  pauseFunction,
  pauseSubscription,
  queuedDeliveries,
  redriveDeliveries,
} from './delivery/control.sql.js';
import { hastenDeliveries, reopenDeliveries } from './delivery/delivery-jobs.js';
import { limits } from './limits.js';
import { JobQueue } from './queue/job-queue.js';

const pauseBody = z.strictObject({ subscription_id: z.uuid().optional() });
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
const plainText = z.string().regex(/^[^\0]*$/, 'expected text without a zero byte');
const redriveBody = z.strictObject({
  event: plainText.optional(),
  error: plainText.optional(),
  since: time.optional(),
  until: time.optional(),
});

/** The events of one function: what wakes it, whether they rest, and its dead letters together. */
@Controller('v1/projects/:ref/functions/:slug/events')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard, JsonBodyGuard)
export class FunctionEventsController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly queue: JobQueue,
  ) {}

  @Get()
  async read(@CurrentProject() { ref: projectRef }: Project, @Param('slug') slug: string) {
    const { prisma } = this.database;
    const found = await prisma.function.findUnique({ where: { projectRef_slug: { projectRef, slug } } });
    if (!found) throw notFound(`There is no function ${slug}`);
    const of = { projectRef, functionSlug: slug };
    const subscriptions = await prisma.subscription.findMany({ where: of, orderBy: { id: 'asc' } });
    const states = await prisma.delivery.groupBy({ by: ['state'], where: of, _count: true });
    return {
      paused_at: found.eventsPausedAt,
      subscriptions: subscriptions.map(({ id, event, filter, settings, pausedAt }) => ({
        id,
        event,
        filter,
        settings,
        paused_at: pausedAt,
      })),
      deliveries: Object.fromEntries(states.map(({ state, _count }) => [state, _count])),
    };
  }

  /** What is under way ends; what is queued, or comes, waits. */
  @Post('pause')
  @HttpCode(200)
  pause(@CurrentProject() { ref }: Project, @Param('slug') slug: string, @Body() body: unknown) {
    return this.#setPaused(ref, slug, body, true);
  }

  @Post('resume')
  @HttpCode(200)
  async resume(@CurrentProject() { ref }: Project, @Param('slug') slug: string, @Body() body: unknown) {
    const answer = await this.#setPaused(ref, slug, body, false);
    const queued = await queuedDeliveries(this.database, ref, slug, limits.resumedDeliveries);
    await hastenDeliveries(this.database, this.queue, { projectRef: ref, functionSlug: slug }, queued);
    return answer;
  }

  /** Tries dead letters again, each from its first attempt. */
  @Post('redrive')
  @HttpCode(202)
  async redrive(@CurrentProject() { ref }: Project, @Param('slug') slug: string, @Body() body: unknown) {
    const filter = parseInput(redriveBody, body ?? {});
    const { ids, remaining } = await redriveDeliveries(
      this.database,
      ref,
      slug,
      filter,
      limits.redrivenDeliveries,
    );
    await reopenDeliveries(this.database, this.queue, { projectRef: ref, functionSlug: slug }, ids);
    return { redriven: ids.length, remaining };
  }

  async #setPaused(ref: string, slug: string, body: unknown, isPaused: boolean) {
    const { subscription_id: id } = parseInput(pauseBody, body ?? {});
    const paused =
      id === undefined
        ? await pauseFunction(this.database, ref, slug, isPaused)
        : await pauseSubscription(this.database, ref, slug, { id, isPaused });
    if (paused) return { paused_at: paused.pausedAt };
    throw notFound(id ? `Function ${slug} has no subscription ${id}` : `There is no function ${slug}`);
  }
}

function notFound(message: string): AppError {
  return new AppError({ code: 'not_found', status: 404, message });
}

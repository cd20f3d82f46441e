import { Controller, Get, HttpCode, Param, Post, Query, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  parseInput,
  PlatformDatabase,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import { z } from 'zod';
import { redriveDelivery } from './delivery/deliveries.sql.js';
import { queueNameOf, workChannel } from './delivery/queue-names.js';
import { JobQueue } from './queue/job-queue.js';

const maxListed = 1000;
/** What PostgreSQL can hold: no zero byte. */
const plainText = z.string().regex(/^[^\0]*$/, 'expected text without a zero byte');
const listQuery = z.strictObject({
  state: z.enum(['queued', 'running', 'succeeded', 'dead']).optional(),
  function: plainText.optional(),
  request_id: plainText.optional(),
  limit: z.coerce.number().int().min(1).max(maxListed).default(50),
});

/** Where events are on their way to functions; the dead ones are the dead letters. For holders of the secret key. */
@Controller('v1/projects/:ref/deliveries')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class DeliveriesController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly queue: JobQueue,
  ) {}

  /** The newest first. */
  @Get()
  async list(@CurrentProject() { ref }: Project, @Query() query: unknown) {
    const { state, function: slug, request_id: requestId, limit } = parseInput(listQuery, query);
    const deliveries = await this.database.prisma.delivery.findMany({
      where: {
        projectRef: ref,
        ...(state && { state }),
        ...(slug && { functionSlug: slug }),
        ...(requestId && { requestId }),
      },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      take: limit,
    });
    return deliveries.map((delivery) => ({
      id: delivery.id,
      function: delivery.functionSlug,
      event_id: delivery.eventId,
      event: delivery.eventName,
      payload: delivery.payload,
      request_id: delivery.requestId,
      depth: delivery.depth,
      state: delivery.state,
      attempts: delivery.attempts,
      last_error: delivery.lastError,
      occurred_at: delivery.occurredAt,
      created_at: delivery.createdAt,
      finished_at: delivery.finishedAt,
    }));
  }

  /** Tries a dead letter again, from its first attempt. */
  @Post(':id/redrive')
  @HttpCode(202)
  async redrive(@CurrentProject() { ref }: Project, @Param('id') id: string) {
    const slug = z.uuid().safeParse(id).success ? await redriveDelivery(this.database, ref, id) : undefined;
    if (slug === undefined) {
      throw new AppError({ code: 'not_found', status: 404, message: `There is no dead delivery ${id}` });
    }
    await this.queue.ensure(queueNameOf(ref, slug), { id, data: { deliveryId: id } });
    await this.database.query('select pg_notify($1, $2)', [workChannel, `${ref}/${slug}`]);
    return { id, state: 'queued' };
  }
}

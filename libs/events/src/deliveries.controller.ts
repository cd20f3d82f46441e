import { Controller, Get, HttpCode, Param, Post, Query, UseGuards } from '@nestjs/common';
import { AppError, CurrentProject, PlatformDatabase, ServiceOnlyGuard, type Project } from '#libs/platform';
import { z } from 'zod';
import { redriveDelivery } from './delivery/deliveries.sql.js';
import { queueNameOf, workChannel } from './delivery/queue-names.js';
import { JobQueue } from './queue/job-queue.js';

const maxListed = 1000;
const listQuery = z.object({
  state: z.enum(['queued', 'running', 'succeeded', 'dead']).optional(),
  function: z.string().optional(),
  request_id: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(maxListed).default(50),
});

/** Where events are on their way to functions; the dead ones are the dead letters. For holders of the secret key. */
@Controller('v1/projects/:ref/deliveries')
@UseGuards(ServiceOnlyGuard)
export class DeliveriesController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly queue: JobQueue,
  ) {}

  /** The newest first. */
  @Get()
  async list(@CurrentProject() project: Project, @Param('ref') ref: string, @Query() query: unknown) {
    requireProject(project, ref);
    const parsed = listQuery.safeParse(query);
    if (!parsed.success) {
      throw new AppError({ code: 'invalid_query', status: 400, message: z.prettifyError(parsed.error) });
    }
    const { state, function: slug, request_id: requestId, limit } = parsed.data;
    const { rows } = await this.database.query(
      `select id, function_slug as function, event_id, event_name as event, payload, request_id, depth, state,
              attempts, last_error, occurred_at, created_at, finished_at
       from deliveries
       where project_ref = $1 and ($2::text is null or state = $2) and ($3::text is null or function_slug = $3)
         and ($4::text is null or request_id = $4)
       order by created_at desc, id desc limit $5`,
      [ref, state ?? null, slug ?? null, requestId ?? null, limit],
    );
    return rows;
  }

  /** Tries a dead letter again, from its first attempt. */
  @Post(':id/redrive')
  @HttpCode(202)
  async redrive(@CurrentProject() project: Project, @Param('ref') ref: string, @Param('id') id: string) {
    requireProject(project, ref);
    const slug = z.uuid().safeParse(id).success ? await redriveDelivery(this.database, ref, id) : undefined;
    if (slug === undefined) {
      throw new AppError({ code: 'not_found', status: 404, message: `There is no dead delivery ${id}` });
    }
    await this.queue.ensure(queueNameOf(ref, slug), { id, data: { deliveryId: id } });
    await this.database.query('select pg_notify($1, $2)', [workChannel, `${ref}/${slug}`]);
    return { id, state: 'queued' };
  }
}

function requireProject(project: Project, ref: string): void {
  if (project.ref !== ref)
    throw new AppError({ code: 'not_found', status: 404, message: `There is no project ${ref}` });
}

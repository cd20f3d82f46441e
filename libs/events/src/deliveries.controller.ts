import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  isId,
  JsonBodyGuard,
  newId,
  parseInput,
  PlatformDatabase,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Caller,
  type Project,
} from '#libs/platform';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { attemptsOf } from './delivery/attempts.sql.js';
import {
  cancelDelivery,
  hasDeployment,
  lacksRequest,
  redriveDelivery,
  replayDelivery,
} from './delivery/control.sql.js';
import { hastenDeliveries, hastenNext, reopenDeliveries } from './delivery/delivery-jobs.js';
import { limits } from './limits.js';
import { JobQueue } from './queue/job-queue.js';

/** What PostgreSQL can hold: no zero byte. */
const plainText = z.string().regex(/^[^\0]*$/, 'expected text without a zero byte');
const listQuery = z.strictObject({
  state: z.enum(['queued', 'running', 'succeeded', 'dead', 'cancelled']).optional(),
  function: plainText.optional(),
  request_id: plainText.optional(),
  limit: z.coerce.number().int().min(1).max(limits.listedDeliveries).default(50),
});

const replayBody = z.strictObject({ deployment: z.int().min(1).optional() });

type DeliveryModel = Awaited<ReturnType<PlatformDatabase['prisma']['delivery']['findFirstOrThrow']>>;

/** Where events are on their way to functions; the dead ones are the dead letters. For holders of the secret key. */
@Controller('v1/projects/:ref/deliveries')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard, JsonBodyGuard)
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
    return deliveries.map(deliveryJson);
  }

  /** One, with each of its tries. */
  @Get(':id')
  async read(@CurrentProject() { ref }: Project, @Param('id') id: string) {
    const delivery = isId(id)
      ? await this.database.prisma.delivery.findFirst({ where: { id, projectRef: ref } })
      : null;
    if (!delivery) throw notFound(`There is no delivery ${id}`);
    return { ...deliveryJson(delivery), tries: await attemptsOf(this.database, id) };
  }

  /** Tries a dead letter again, from its first attempt. */
  @Post(':id/redrive')
  @HttpCode(202)
  async redrive(@CurrentProject() { ref }: Project, @Param('id') id: string) {
    const slug = isId(id) ? await redriveDelivery(this.database, ref, id) : undefined;
    if (slug === undefined)
      throw await this.#notAgain(ref, id, `There is no dead delivery ${id} whose event was kept`);
    await reopenDeliveries(this.database, this.queue, { projectRef: ref, functionSlug: slug }, [id]);
    return { id, state: 'queued' };
  }

  /** Gives up one that waits. Those that wait behind it go on. */
  @Post(':id/cancel')
  @HttpCode(200)
  async cancel(@CurrentProject() { ref }: Project, @Param('id') id: string) {
    const cancelled = isId(id) ? await cancelDelivery(this.database, ref, id) : undefined;
    if (!cancelled) throw notFound(`There is no queued delivery ${id}`);
    await hastenNext(this.database, this.queue, { projectRef: ref, ...cancelled });
    return { id, state: 'cancelled' };
  }

  /**
   * Makes an ended delivery once more, as a new one: for the deployment with that number, whether it answers or not, or
   * for whichever answers.
   */
  @Post(':id/replay')
  @HttpCode(202)
  async replay(
    @CurrentProject() { ref }: Project,
    @Req() request: FastifyRequest,
    @Param('id') of: string,
    @Body() body: unknown,
  ) {
    const { deployment } = parseInput(replayBody, body ?? {});
    if (deployment !== undefined) await this.#checkDeployment(ref, request.galley.caller, of, deployment);
    const id = newId();
    const slug = isId(of)
      ? await replayDelivery(this.database, ref, { id, of, deployment: deployment ?? null })
      : undefined;
    if (slug === undefined)
      throw await this.#notAgain(
        ref,
        of,
        `There is no delivery ${of} that has ended and whose event was kept`,
      );
    await hastenDeliveries(this.database, this.queue, { projectRef: ref, functionSlug: slug }, [id]);
    return { id, state: 'queued' };
  }

  /** Why a delivery cannot be made once more. */
  async #notAgain(ref: string, id: string, missing: string): Promise<AppError> {
    if (!isId(id) || !(await lacksRequest(this.database, ref, id))) return notFound(missing);
    return new AppError({
      code: 'request_not_kept',
      status: 409,
      message: `Delivery ${id} made a request, which is kept for a day after its end and is not any more`,
    });
  }

  /** A deployment that does not answer runs for the holder of the secret key alone, as when it is called. */
  async #checkDeployment(ref: string, caller: Caller, id: string, number: number): Promise<void> {
    if (caller.kind !== 'service') {
      throw new AppError({
        code: 'service_role_required',
        status: 403,
        message: "To replay an event against a deployment by its number needs the project's secret key",
      });
    }
    if (isId(id) && !(await hasDeployment(this.database, ref, id, number)))
      throw notFound(`The function of delivery ${id} has no deployment ${number}`);
  }
}

function notFound(message: string): AppError {
  return new AppError({ code: 'not_found', status: 404, message });
}

function deliveryJson(delivery: DeliveryModel) {
  return {
    id: delivery.id,
    function: delivery.functionSlug,
    subscription_id: delivery.subscriptionId,
    event_id: delivery.eventId,
    event: delivery.eventName,
    payload: delivery.payload,
    request_id: delivery.requestId,
    root_id: delivery.rootId,
    depth: delivery.depth,
    state: delivery.state,
    attempts: delivery.attempts,
    last_error: delivery.lastError,
    ordering_key: delivery.orderingKey,
    deployment: delivery.deploymentNumber,
    occurred_at: delivery.occurredAt,
    created_at: delivery.createdAt,
    finished_at: delivery.finishedAt,
  };
}

import { Controller, Get, Query, UseGuards } from '@nestjs/common';
import {
  CurrentProject,
  parseInput,
  PlatformDatabase,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import { z } from 'zod';
import { usageLimits as limits } from './limits.js';
import { UsageLedger } from './usage-ledger.js';

/** What PostgreSQL can hold: no zero byte. */
const plainText = z.string().regex(/^[^\0]*$/, 'expected text without a zero byte');
const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(limits.listedInvocations).default(50),
  function: plainText.optional(),
  request_id: plainText.optional(),
  status: z.enum(['succeeded', 'failed']).optional(),
});

/** What became of each call and event, for holders of the project's secret key. */
@Controller('v1/projects/:ref/invocations')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class InvocationsController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly ledger: UsageLedger,
  ) {}

  /** The newest invocations first. */
  @Get()
  async list(@CurrentProject() { ref }: Project, @Query() query: unknown) {
    const { limit, function: slug, request_id: requestId, status } = parseInput(listQuery, query);
    await this.ledger.flush();
    const invocations = await this.database.prisma.invocation.findMany({
      where: {
        projectRef: ref,
        ...(slug && { functionSlug: slug }),
        ...(requestId && { requestId }),
        ...(status && { status }),
      },
      orderBy: [{ startedAt: 'desc' }, { id: 'desc' }],
      take: limit,
    });
    return invocations.map((invocation) => ({
      id: invocation.id,
      function: invocation.functionSlug,
      deployment_id: invocation.deploymentId,
      trigger: invocation.trigger,
      delivery_id: invocation.deliveryId,
      attempt: invocation.attempt,
      request_id: invocation.requestId,
      start: invocation.start,
      status: invocation.status,
      http_status: invocation.httpStatus,
      error: invocation.error,
      started_at: invocation.startedAt,
      wall_ms: invocation.wallMs,
      cpu_ms: invocation.cpuMs,
      peak_memory_bytes: Number(invocation.peakMemoryBytes),
      gb_ms: invocation.gbMs,
      bytes_in: Number(invocation.bytesIn),
      bytes_out: Number(invocation.bytesOut),
      boot_ms: invocation.bootMs,
    }));
  }
}

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
import { UsageLedger } from './usage-ledger.js';

const maxInvocationsListed = 1000;
/** What PostgreSQL can hold: no zero byte. */
const plainText = z.string().regex(/^[^\0]*$/, 'expected text without a zero byte');
const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(maxInvocationsListed).default(50),
  function: plainText.optional(),
  request_id: plainText.optional(),
  status: z.enum(['succeeded', 'failed']).optional(),
});

/** `idle_cpu_ms` and `boot_cpu_ms`: what processes used between invocations, and to start; no invocation has them. */
const functionTotals = `
  select function, coalesce(invocations, 0) as invocations, coalesce(failed, 0) as failed,
         coalesce(cold_starts, 0) as cold_starts, coalesce(wall_ms, 0) as wall_ms, coalesce(cpu_ms, 0) as cpu_ms,
         coalesce(gb_ms, 0) as gb_ms, coalesce(peak_memory_bytes, 0) as peak_memory_bytes,
         coalesce(starts, 0) as starts, coalesce(boot_cpu_ms, 0) as boot_cpu_ms, coalesce(idle_cpu_ms, 0) as idle_cpu_ms
  from (
    select function_slug as function, count(*)::integer as invocations,
           count(*) filter (where status = 'failed')::integer as failed,
           count(*) filter (where start = 'cold')::integer as cold_starts,
           sum(wall_ms) as wall_ms, sum(cpu_ms) as cpu_ms, sum(gb_ms) as gb_ms,
           max(peak_memory_bytes)::float8 as peak_memory_bytes
    from invocations where project_ref = $1 group by function_slug) invoked
  full join (
    select function_slug as function, sum(starts)::integer as starts, sum(boot_cpu_ms) as boot_cpu_ms,
           sum(idle_cpu_ms) as idle_cpu_ms
    from background_usage where project_ref = $1 group by function_slug) background using (function)
  order by function`;

/** What a project used, for holders of its secret key. */
@Controller('v1/projects/:ref')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class UsageController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly ledger: UsageLedger,
  ) {}

  /** Totals by function, and requests by service. */
  @Get('usage')
  async usage(@CurrentProject() { ref }: Project) {
    await this.ledger.flush();
    const { rows: functions } = await this.database.query(functionTotals, [ref]);
    const { rows: requests } = await this.database.query(
      `select service, sum(count)::float8 as requests from request_counts
       where project_ref = $1 group by service order by service`,
      [ref],
    );
    return { functions, requests };
  }

  /** The newest invocations first. */
  @Get('invocations')
  async invocations(@CurrentProject() { ref }: Project, @Query() query: unknown) {
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
      boot_ms: invocation.bootMs,
    }));
  }
}

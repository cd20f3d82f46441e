import { Controller, Get, Param, Query, UseGuards } from '@nestjs/common';
import { AppError, CurrentProject, PlatformDatabase, ServiceOnlyGuard, type Project } from '#libs/platform';
import { z } from 'zod';
import { UsageLedger } from './usage-ledger.js';

const maxInvocationsListed = 1000;
const listQuery = z.object({
  limit: z.coerce.number().int().min(1).max(maxInvocationsListed).default(50),
  function: z.string().optional(),
  request_id: z.string().optional(),
});

/** What a project used, for holders of its secret key. */
@Controller('v1/projects/:ref')
@UseGuards(ServiceOnlyGuard)
export class UsageController {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly ledger: UsageLedger,
  ) {}

  /** Totals by function, and requests by service. */
  @Get('usage')
  async usage(@CurrentProject() project: Project, @Param('ref') ref: string) {
    requireProject(project, ref);
    await this.ledger.flush();
    const { rows: functions } = await this.database.query(
      `select function_slug as function, count(*)::integer as invocations,
              count(*) filter (where status = 'failed')::integer as failed,
              count(*) filter (where start = 'cold')::integer as cold_starts,
              sum(wall_ms) as wall_ms, sum(cpu_ms) as cpu_ms, sum(gb_ms) as gb_ms,
              max(peak_memory_bytes)::float8 as peak_memory_bytes
       from invocations where project_ref = $1 group by function_slug order by function_slug`,
      [ref],
    );
    const { rows: requests } = await this.database.query(
      `select service, sum(count)::float8 as requests from request_counts
       where project_ref = $1 group by service order by service`,
      [ref],
    );
    return { functions, requests };
  }

  /** The newest invocations first. */
  @Get('invocations')
  async invocations(@CurrentProject() project: Project, @Param('ref') ref: string, @Query() query: unknown) {
    requireProject(project, ref);
    const parsed = listQuery.safeParse(query);
    if (!parsed.success) {
      throw new AppError({ code: 'invalid_query', status: 400, message: z.prettifyError(parsed.error) });
    }
    await this.ledger.flush();
    const { limit, function: slug, request_id: requestId } = parsed.data;
    const { rows } = await this.database.query(
      `select id, function_slug as function, deployment_id, trigger, delivery_id, attempt, request_id, start, status,
              http_status, error, started_at, wall_ms, cpu_ms, peak_memory_bytes::float8 as peak_memory_bytes, gb_ms
       from invocations
       where project_ref = $1 and ($2::text is null or function_slug = $2) and ($3::text is null or request_id = $3)
       order by started_at desc, id desc limit $4`,
      [ref, slug ?? null, requestId ?? null, limit],
    );
    return rows;
  }
}

function requireProject(project: Project, ref: string): void {
  if (project.ref !== ref)
    throw new AppError({ code: 'not_found', status: 404, message: `There is no project ${ref}` });
}

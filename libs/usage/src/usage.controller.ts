import { Controller, Get, Header, Headers, Query, Res, UseGuards } from '@nestjs/common';
import { CurrentProject, ProjectRefGuard, ServiceOnlyGuard, type Project } from '#libs/platform';
import type { FastifyReply } from 'fastify';
import { usageCsv } from './report/usage-csv.js';
import { UsageReport } from './report/usage-report.js';
import { readUsageQuery } from './report/usage-query.js';

const csv = 'text/csv; charset=utf-8';

/** What a project used and what it cost, for holders of its secret key: `from`, `to`, `by` and `prices`. */
@Controller('v1/projects/:ref')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class UsageController {
  constructor(private readonly report: UsageReport) {}

  @Get('usage')
  async usage(
    @CurrentProject() project: Project,
    @Query() query: unknown,
    @Headers('accept') accept: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const report = await this.#of(project, query);
    void reply.header('vary', 'Accept');
    if (!/\btext\/csv\b/i.test(accept ?? '')) return report;
    void reply.header('content-type', csv);
    return usageCsv(report);
  }

  @Get('usage.csv')
  @Header('content-type', csv)
  @Header('content-disposition', 'attachment; filename="usage.csv"')
  async file(@CurrentProject() project: Project, @Query() query: unknown) {
    return usageCsv(await this.#of(project, query));
  }

  #of(project: Project, query: unknown) {
    const now = new Date();
    return this.report.of(project, readUsageQuery(query, now), now);
  }
}

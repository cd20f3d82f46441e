import { Body, Controller, Inject, Param, Post, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  LOGGER,
  OperatorError,
  ServiceOnlyGuard,
  type Logger,
  type Project,
} from '#libs/platform';
import { z } from 'zod';
import { applyMigrations } from './apply-migrations.js';

const body = z.object({
  /** Number and name, as the file is called: `20261101000000_profiles`. */
  name: z.string().regex(/^\d+_[\w-]+$/, 'expected <number>_<what it does>'),
  query: z.string().min(1),
});

/** Applies a migration from afar. */
@Controller('v1/projects/:ref/database/migrations')
@UseGuards(ServiceOnlyGuard)
export class MigrationsController {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  /** Applies it once: a repeated call answers `applied: false`. A migration that fails leaves nothing behind. */
  @Post()
  async apply(@CurrentProject() project: Project, @Param('ref') ref: string, @Body() input: unknown) {
    if (project.ref !== ref) {
      throw new AppError({ code: 'not_found', status: 404, message: `There is no project ${ref}` });
    }
    const parsed = body.safeParse(input);
    if (!parsed.success) {
      throw new AppError({ code: 'invalid_migration', status: 400, message: z.prettifyError(parsed.error) });
    }
    const { name, query } = parsed.data;
    try {
      const applied = await applyMigrations(
        project,
        { migrations: [{ name: `${name}.sql`, sql: query }], seeds: [] },
        this.logger,
      );
      return { name, applied: applied.length > 0 };
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      throw new AppError({ code: 'migration_failed', status: 400, message: error.message, cause: error });
    }
  }
}

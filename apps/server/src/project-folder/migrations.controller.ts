import { Body, Controller, Inject, Post, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  JsonBodyGuard,
  LOGGER,
  OperatorError,
  parseInput,
  ProjectRefGuard,
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
@UseGuards(ServiceOnlyGuard, ProjectRefGuard, JsonBodyGuard)
export class MigrationsController {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  /** Applies it once: a repeated call answers `applied: false`. A migration that fails leaves nothing behind. */
  @Post()
  async apply(@CurrentProject() project: Project, @Body() input: unknown) {
    const { name, query } = parseInput(body, input, 'invalid_migration');
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

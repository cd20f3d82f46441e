import { Controller, Get, Query, UseGuards } from '@nestjs/common';
import { AppError, CurrentProject, ProjectRefGuard, ServiceOnlyGuard, type Project } from '#libs/platform';
import { limits } from '../limits.js';
import { postgrestVersion } from '../postgrest-version.js';
import { Appearances } from '../schema-cache/appearances.js';
import { foreignKeysOf } from '../schema-cache/foreign-keys.js';
import { loadKeyConstraints } from '../schema-cache/key-constraints.sql.js';
import { loadViewColumns } from '../schema-cache/views.sql.js';
import { loadCatalogue } from './catalogue.sql.js';
import { typescriptOf } from './typescript.js';

/** TypeScript types of a project's database, as Supabase's management API generates them. */
@Controller('v1/projects/:ref/types')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class TypesController {
  /** @param included comma-separated; by default `public` */
  @Get('typescript')
  async typescript(
    @CurrentProject() project: Project,
    @Query('included_schemas') included = 'public',
  ): Promise<{ types: string }> {
    const schemas = readSchemas(included);
    const types = await project.database.asSystem(async (tx) => {
      await tx.query('set transaction isolation level repeatable read, read only');
      const { rows } = await tx.query<{ name: string }>(
        'select nspname as name from pg_catalog.pg_namespace where nspname = any($1)',
        [schemas],
      );
      const names = rows.map((row) => row.name);
      const appearances = new Appearances(await loadViewColumns(tx, names));
      const keys = foreignKeysOf(await loadKeyConstraints(tx)).flatMap((key) => appearances.ofKey(key));
      return typescriptOf(await loadCatalogue(tx, names), keys, names, postgrestVersion);
    });
    return { types };
  }
}

function readSchemas(included: unknown): string[] {
  const names = typeof included === 'string' ? included.split(',').map((name) => name.trim()) : [];
  const schemas = [...new Set(names.filter((name) => name !== ''))];
  if (schemas.length > 0 && schemas.length <= limits.typedSchemas) return schemas;
  throw new AppError({
    code: 'invalid_request',
    status: 400,
    message: `included_schemas: expected up to ${limits.typedSchemas} names of schemas with commas between them`,
  });
}

import { Controller, Get, Headers, Param, Res, UseGuards } from '@nestjs/common';
import {
  AppError,
  CurrentProject,
  PlatformDatabase,
  ProjectRefGuard,
  ServiceOnlyGuard,
  type Project,
} from '#libs/platform';
import type { FastifyReply } from 'fastify';
import { listFunctions, readDeployment, type Source } from '../deploy/deployments.sql.js';
import { checkSlug } from '../manifest/slug.js';

/** What a function was deployed from. */
@Controller('v1/projects/:ref/functions')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class FunctionBodyController {
  constructor(private readonly database: PlatformDatabase) {}

  /**
   * The sources of the active deployment as a multipart form, as Supabase's CLI reads them: `metadata` with the entry
   * point, and a part `file` for each, whose `filename` is its path.
   */
  @Get(':slug/body')
  async body(
    @CurrentProject() { ref }: Project,
    @Param('slug') slug: string,
    @Headers('accept') accept: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (!acceptsForm(accept)) {
      const message = 'Sources come as multipart/form-data; ask with `Accept: multipart/form-data`';
      throw new AppError({ code: 'not_acceptable', status: 406, message });
    }
    const [found] = await listFunctions(this.database, ref, checkSlug(slug));
    const content = found && (await readDeployment(this.database, found.active.id));
    if (!content)
      throw new AppError({ code: 'not_found', status: 404, message: `There is no function ${slug}` });
    const form = new Response(formOf(content.source));
    await reply
      .header('content-type', form.headers.get('content-type')!)
      .send(Buffer.from(await form.arrayBuffer()));
  }
}

function acceptsForm(accept: string | undefined): boolean {
  return accept === undefined || /multipart\/(form-data|\*)|\*\/\*/i.test(accept);
}

function formOf({ entrypoint, importMap, files }: Source): FormData {
  const form = new FormData();
  form.append('metadata', JSON.stringify({ deno2_entrypoint_path: entrypoint, import_map_path: importMap }));
  for (const [path, base64] of Object.entries(files)) {
    form.append('file', new Blob([Buffer.from(base64, 'base64')]), path);
  }
  return form;
}

import { Controller, Get, Headers, Param, ParseUUIDPipe, Res, UseGuards } from '@nestjs/common';
import { CurrentProject, ProjectRefGuard, ServiceOnlyGuard, type Project } from '#libs/platform';
import type { FastifyReply } from 'fastify';
import { setTimeout as delay } from 'node:timers/promises';
import { Builds } from '../deploy/builds.js';
import { limits } from '../limits.js';
import { checkSlug } from '../manifest/slug.js';
import { buildJson, buildLineJson } from './build-json.js';
import { EventStream, wantsEventStream } from './event-stream.js';

/** What happened while functions were built. */
@Controller('v1/projects/:ref/functions/:slug/builds')
@UseGuards(ServiceOnlyGuard, ProjectRefGuard)
export class BuildsController {
  constructor(private readonly builds: Builds) {}

  /** The newest first; also of a function that was never deployed, since its first builds failed. */
  @Get()
  async list(@CurrentProject() { ref }: Project, @Param('slug') slug: string) {
    return (await this.builds.list(ref, checkSlug(slug))).map(buildJson);
  }

  @Get(':id')
  async find(
    @CurrentProject() { ref }: Project,
    @Param('slug') slug: string,
    @Param('id', ParseUUIDPipe) id: string,
  ) {
    return buildJson(await this.builds.find(ref, checkSlug(slug), id));
  }

  /**
   * What was told so far. With `Accept: text/event-stream` also what comes, until the build ended: events `log`, at last
   * `ended` with the build; `Last-Event-ID` leaves out what the client has seen.
   */
  @Get(':id/logs')
  async logs(
    @CurrentProject() { ref }: Project,
    @Param('slug') slug: string,
    @Param('id', ParseUUIDPipe) id: string,
    @Headers('accept') accept: string | undefined,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.builds.find(ref, checkSlug(slug), id);
    if (!wantsEventStream(accept)) {
      await reply.send((await this.builds.lines(id, 0)).map(buildLineJson));
      return;
    }
    const after = /^\d{1,9}$/.test(lastEventId ?? '') ? Number(lastEventId) : 0;
    await this.#follow({ ref, slug, id }, after, new EventStream(reply));
  }

  /** Another server may be the one that builds, so the lines are read from where it writes them. */
  async #follow(build: { ref: string; slug: string; id: string }, after: number, stream: EventStream) {
    let last = after;
    try {
      while (!stream.isClosed) {
        // Asked first: a build that has ended by then tells nothing that is not read below.
        const found = await this.builds.find(build.ref, build.slug, build.id);
        for (const line of await this.builds.lines(build.id, last)) {
          stream.send('log', buildLineJson(line), line.number);
          last = line.number;
        }
        if (found.status !== 'running') {
          stream.send('ended', buildJson(found));
          break;
        }
        await delay(limits.buildPollMs);
      }
    } finally {
      stream.end();
    }
  }
}

import { Controller, HttpCode, Post, Req, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { KeyRequiredGuard, newId, type RequestContext } from '#libs/platform';
import { callerReads } from '../operation.js';
import { objectNotFound } from '../errors.js';
import { limits } from '../limits.js';
import { objectAddress, pathBelow, requireBucketName, type ObjectAddress } from '../names.js';
import { requireAdmission } from '../objects/admission.js';
import { askPolicies } from '../objects/ask-policies.js';
import { findObject, readableNames, writeObject } from '../objects/objects.sql.js';
import { parseRequest, readJsonBody } from '../parse-request.js';
import { formatTransform, parseTransform } from '../pictures/transform.js';
import { StorageErrorFilter } from '../storage-error.filter.js';
import { signDownload, signUpload } from './signed-url.js';

const lifetimeSeconds = z.number().int().min(1).max(limits.signedUrlSeconds);
const oneSchema = z.object({ expiresIn: lifetimeSeconds, transform: z.object({}).loose().nullish() });
const manySchema = z.object({
  expiresIn: lifetimeSeconds,
  paths: z.array(z.string()).min(1).max(limits.signedUrls),
});

/** Signed URLs: `POST /object/sign/:bucket[/*]` to read, `POST /object/upload/sign/:bucket/*` to upload. */
@Controller('storage/v1/object')
@UseFilters(StorageErrorFilter)
@UseGuards(KeyRequiredGuard)
export class SigningController {
  @Post('upload/sign/*')
  @HttpCode(200)
  async signUpload(@Req() request: FastifyRequest) {
    const { project, caller } = request.galley;
    const address = objectAddress(request.raw.url!, '/object/upload/sign/');
    const upsert = request.headers['x-upsert'] === 'true';
    await this.#askForUpload(request.galley, address, upsert);
    return signUpload(project, address, { upsert, owner: caller.userId, depth: caller.depth });
  }

  @Post('sign/*')
  @HttpCode(200)
  async sign(@Req() request: FastifyRequest) {
    const path = pathBelow(request.raw.url!, '/object/sign/');
    const body = await readJsonBody(request);
    if (!path.includes('/')) return this.#signMany(request.galley, requireBucketName(path), body);
    const address = objectAddress(request.raw.url!, '/object/sign/');
    const { expiresIn, transform } = parseRequest(oneSchema, body);
    const transformations = formatTransform(parseTransform(transform ?? {}));
    const reads = callerReads(request.galley, 'storage.object.sign');
    if (!(await findObject(reads, address.bucket, address.name))) throw objectNotFound();
    return { signedURL: await signDownload(request.galley.project, address, { expiresIn, transformations }) };
  }

  async #signMany(context: RequestContext, bucket: string, body: unknown) {
    const { expiresIn, paths } = parseRequest(manySchema, body);
    const readable = await readableNames(callerReads(context, 'storage.object.sign_many'), bucket, paths);
    return Promise.all(
      paths.map(async (path) => {
        if (!readable.has(path)) return { path, error: unreadable, signedURL: null };
        const signedURL = await signDownload(context.project, { bucket, name: path }, { expiresIn });
        return { path, error: null, signedURL };
      }),
    );
  }

  async #askForUpload(context: RequestContext, address: ObjectAddress, upsert: boolean): Promise<void> {
    const { project, caller } = context;
    await requireAdmission(project.database, { ...address, mimeType: undefined, sizeBytes: undefined });
    await askPolicies(context, 'storage.object.sign_upload_url', (tx) =>
      writeObject(
        tx,
        { ...address, ownerId: caller.userId, version: newId(), metadata: {}, userMetadata: {} },
        upsert,
      ),
    );
  }
}

const unreadable = 'Either the object does not exist or you do not have access to it';

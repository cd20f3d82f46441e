import { AppError, sameSecret } from '#libs/platform';
import type { FastifyRequest } from 'fastify';

/** What a caller of `functions.invoke` names to call this deployment, whether it answers or not. */
export function previewName({ slug, number }: { slug: string; number: number }): string {
  return `${slug}@${number}`;
}

/** `hello@8` → the function `hello`, its deployment 8; without a number, whichever answers. */
export function calledFunction(name: string): { slug: string; number?: number } {
  const match = /^(.+)(?:@|%40)([1-9]\d{0,8})$/i.exec(name);
  return match ? { slug: match[1]!, number: Number(match[2]) } : { slug: name };
}

/**
 * A deployment that does not answer yet may be broken, or open what is to stay closed: only who holds the project's
 * secret key calls it. Beside `Authorization`, which may be a person's whom the preview is tried as, the key may stand
 * in `apikey`.
 * @throws AppError `PREVIEW_NOT_ALLOWED` (403), whether there is such a deployment or not
 */
export function requireSecretKey(request: FastifyRequest): void {
  const { caller, project } = request.galley;
  if (caller.kind === 'service') return;
  const { apikey } = request.headers;
  const { secretKey, serviceRoleKey } = project.keys;
  if (typeof apikey === 'string' && [secretKey, serviceRoleKey].some((key) => sameSecret(apikey, key)))
    return;
  throw new AppError({
    code: 'PREVIEW_NOT_ALLOWED',
    status: 403,
    message: 'A deployment is called by its number with the secret key alone',
  });
}

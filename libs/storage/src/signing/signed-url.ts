import type { Project } from '#libs/platform';
import { invalidSignature, invalidToken } from '../errors.js';
import { limits } from '../limits.js';
import type { ObjectAddress } from '../names.js';

/** What the token of a signed URL lets its holder do, for the one object at `url` (`bucket/name`). */
export type SignedClaims =
  | { readonly scope: 'download'; readonly url: string; readonly transformations?: string }
  | {
      readonly scope: 'upload';
      readonly url: string;
      readonly upsert: boolean;
      /** Who asked for the URL owns what is uploaded. */
      readonly owner: string | null;
      /** Functions between the first event and who requestSettings, so that a loop of functions is noticed here too. */
      readonly depth: number;
    };

export type UploadClaims = Extract<SignedClaims, { scope: 'upload' }>;

/** `bucket/name`, as tokens and answers write it. */
export function urlOf({ bucket, name }: ObjectAddress): string {
  return `${bucket}/${name}`;
}

/**
 * The relative URL at which an object can be read without a key until the token ends.
 * @param transformations what to render, as formatTransform writes it; empty for the object itself
 */
export async function signDownload(
  project: Project,
  address: ObjectAddress,
  options: { expiresIn: number; transformations?: string },
): Promise<string> {
  const url = urlOf(address);
  const { transformations } = options;
  const token = project.tokens.sign(
    { scope: 'download', url, ...(transformations && { transformations }) } satisfies SignedClaims,
    options.expiresIn,
  );
  return `/${transformations ? 'render/image' : 'object'}/sign/${url}?token=${token}`;
}

/** The relative URL to which an object can be uploaded without a key, and its token. */
export async function signUpload(
  project: Project,
  address: ObjectAddress,
  upload: { upsert: boolean; owner: string | null; depth: number },
): Promise<{ url: string; token: string }> {
  const url = urlOf(address);
  const token = project.tokens.sign(
    { scope: 'upload', url, ...upload } satisfies SignedClaims,
    limits.signedUploadUrlSeconds,
  );
  return { url: `/object/upload/sign/${url}?token=${token}`, token };
}

/**
 * Checks that `token` was signed here, still lives and is for `scope` on just this object.
 * @throws AppError `InvalidJWT`, `InvalidSignature`
 */
export async function verifySigned<Scope extends SignedClaims['scope']>(
  project: Project,
  token: unknown,
  scope: Scope,
  address: ObjectAddress,
): Promise<Extract<SignedClaims, { scope: Scope }> & { exp: number }> {
  if (typeof token !== 'string' || token === '') throw invalidSignature('The URL holds no token');
  const claims = await project.tokens.verify(token).catch((error) => {
    throw invalidToken(error);
  });
  if (claims['scope'] !== scope) throw invalidSignature(`Token is not scoped for ${scope}`);
  if (claims['url'] !== urlOf(address)) throw invalidSignature('Invalid signature');
  return claims as Extract<SignedClaims, { scope: Scope }> & { exp: number };
}

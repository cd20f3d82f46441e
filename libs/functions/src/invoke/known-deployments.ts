import { projectResource, type Project } from '#libs/platform';
import type { Manifest } from '../manifest/manifest.js';

/** A deployment that may be called. */
export interface ActiveDeployment {
  readonly id: string;
  readonly slug: string;
  readonly number: number;
  readonly manifest: Manifest;
  /** The PostgreSQL role of the function's tokens. */
  readonly role: string;
  /** Changes when the value of a declared secret does. */
  readonly secretsVersion: string;
  /** Its part of the function's calls; 100 of a preview. */
  readonly percent: number;
}

export interface KnownDeployments {
  /** Those that share the calls; none: there is no such function, or no such deployment of it. */
  readonly deployments: Promise<readonly ActiveDeployment[]>;
  readonly askedAt: number;
}

/** What this process knows of a project's functions, by slug; of previews by slug and number. */
export const knownDeployments = projectResource(
  'active deployments',
  () => new Map<string, KnownDeployments>(),
);

export function knownKey(slug: string, number: number | undefined): string {
  return number === undefined ? slug : `${slug}@${number}`;
}

/** Makes this process look again at once; other processes do so by themselves soon. */
export function forgetDeployment(project: Project, slug: string): void {
  const known = knownDeployments(project);
  for (const key of known.keys()) if (key === slug || key.startsWith(`${slug}@`)) known.delete(key);
}

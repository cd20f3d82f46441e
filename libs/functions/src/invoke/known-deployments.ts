import { projectResource, type Project } from '#libs/platform';
import type { Manifest } from '../manifest/manifest.js';

/** A function as it answers now. */
export interface ActiveDeployment {
  readonly id: string;
  readonly slug: string;
  readonly number: number;
  readonly manifest: Manifest;
  /** The PostgreSQL role of the function's tokens. */
  readonly role: string;
  /** Changes when the value of a declared secret does. */
  readonly secretsVersion: string;
}

export interface KnownDeployment {
  /** Undefined: there is no such function. */
  readonly deployment: Promise<ActiveDeployment | undefined>;
  readonly askedAt: number;
}

/** What this process knows of a project's functions, by slug. */
export const knownDeployments = projectResource(
  'active deployments',
  () => new Map<string, KnownDeployment>(),
);

/** Makes this process look again at once; other processes do so by themselves soon. */
export function forgetDeployment(project: Project, slug: string): void {
  knownDeployments(project).delete(slug);
}

import type { ProjectDatabase } from '../database/project-database.js';
import type { Sealer } from '../sealing.js';
import type { ProjectKeys } from './project-keys.js';
import { ProjectTokens } from './project-tokens.js';
import type { TrustedKey } from './trusted-keys.js';

const refChars = 20;

/**
 * A whole isolated backend: its own database, keys, buckets and functions. Nothing that belongs to one is
 * global to the process; whatever a feature keeps per project it keeps through {@link projectResource}.
 */
export class Project {
  /** Twenty lower-case letters, as in Supabase; the first project's is `local`. */
  readonly ref: string;
  /**
   * `ref` for programs that insist on twenty letters, as Supabase's CLI does: of the first project
   * `locallocallocallocal`, of any other the same.
   */
  readonly longRef: string;
  readonly keys: ProjectKeys;
  readonly tokens: ProjectTokens;
  readonly database: ProjectDatabase;
  /** For what is secret of this project and kept in the platform's database; name the project in each context. */
  readonly sealer: Sealer;
  /** Where clients reach this project, without a trailing slash. */
  readonly apiUrl: string;
  readonly #resources = new Map<
    symbol,
    { value: unknown; close: (() => Promise<void> | void) | undefined }
  >();

  constructor(options: {
    ref: string;
    keys: ProjectKeys;
    /** Others know the JWT secret, too: the operator gave it. */
    sharesJwtSecret: boolean;
    trustedKeys: readonly TrustedKey[];
    database: ProjectDatabase;
    sealer: Sealer;
    apiUrl: string;
  }) {
    this.ref = options.ref;
    this.longRef = this.ref.padEnd(refChars, this.ref);
    this.keys = options.keys;
    this.tokens = new ProjectTokens(options.keys.jwtSecret, options.sharesJwtSecret, options.trustedKeys);
    this.database = options.database;
    this.sealer = options.sealer;
    this.apiUrl = options.apiUrl;
  }

  /** @internal Use {@link projectResource}. */
  resource<T>(key: symbol, create: () => T, close?: (value: T) => Promise<void> | void): T {
    const existing = this.#resources.get(key);
    if (existing) return existing.value as T;
    const value = create();
    this.#resources.set(key, { value, close: close && (() => close(value)) });
    return value;
  }

  async close(): Promise<void> {
    const resources = [...this.#resources.values()].toReversed();
    this.#resources.clear();
    for (const resource of resources) await resource.close?.();
    await this.database.close();
  }
}

/**
 * Declares something that each project has one of, made at first use and closed with the project.
 * The returned function gives a project's own.
 */
export function projectResource<T>(
  name: string,
  create: (project: Project) => T,
  close?: (value: T) => Promise<void> | void,
): (project: Project) => T {
  const key = Symbol(name);
  return (project) => project.resource(key, () => create(project), close);
}

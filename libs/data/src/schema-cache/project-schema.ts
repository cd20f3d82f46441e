import { projectResource, type Project } from '#libs/platform';
import { pgrstError } from '../errors.js';
import { loadSchemaCache, readSchemaVersion } from './load-schema-cache.js';
import type { SchemaCache } from './schema-cache.js';

/** Keeps the schema cache of one project. A request takes `current()` once and uses that snapshot to its end. */
class ProjectSchema {
  readonly #project: Project;
  #snapshot: SchemaCache | undefined;
  #loading: Promise<SchemaCache> | undefined;
  /** A change was announced after the load under way had begun. */
  #again = false;
  #checking: Promise<SchemaCache> | undefined;
  #listening: Promise<() => Promise<void>> | undefined;

  constructor(project: Project) {
    this.#project = project;
  }

  /** The snapshot in use; the first caller waits until there is one. */
  current(): SchemaCache | Promise<SchemaCache> {
    return this.#snapshot ?? this.#load();
  }

  /**
   * Called when something was not found in `seen`: gives a newer snapshot if the schema has changed since,
   * so that a table can be used as soon as its migration has committed. Else gives `seen` back.
   */
  async newerThan(seen: SchemaCache): Promise<SchemaCache> {
    if (this.#snapshot && this.#snapshot !== seen) return this.#snapshot;
    this.#checking ??= this.#reloadIfChanged().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async close(): Promise<void> {
    const stop = await this.#listening?.catch(() => undefined);
    await stop?.();
  }

  async #reloadIfChanged(): Promise<SchemaCache> {
    const version = await readSchemaVersion(this.#project.database);
    return version !== null && this.#snapshot?.version === version ? this.#snapshot : this.#load();
  }

  #load(): Promise<SchemaCache> {
    this.#loading ??= this.#loadUntilQuiet().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #loadUntilQuiet(): Promise<SchemaCache> {
    try {
      // Listen first: a change between the two would be missed the other way round.
      await this.#listen();
      do {
        this.#again = false;
        this.#snapshot = await loadSchemaCache(this.#project);
      } while (this.#again);
      return this.#snapshot;
    } catch (cause) {
      throw pgrstError('PGRST002', {
        message: 'Could not query the database for the schema cache. Retrying.',
        cause,
      });
    }
  }

  #listen(): Promise<unknown> {
    this.#listening ??= this.#project.database
      .listen('pgrst', () => this.#changed())
      .catch((error) => {
        this.#listening = undefined;
        throw error;
      });
    return this.#listening;
  }

  #changed(): void {
    this.#again = true;
    // Requests go on with the old snapshot; if this load fails, the next miss or notification tries again.
    this.#load().catch(() => {});
  }
}

/** The schema cache of `project`, made at first use. */
export const projectSchema = projectResource(
  'data.schema',
  (project) => new ProjectSchema(project),
  (schema) => schema.close(),
);

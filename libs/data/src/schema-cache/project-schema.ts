import { projectResource, type Project } from '#libs/platform';
import { pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import { reloadChannel } from '../settings/reload-channel.js';
import type { RestSettings } from '../settings/rest-settings.js';
import { loadSchemaCache, readSchemaVersion } from './load-schema-cache.js';
import type { SchemaCache } from './schema-cache.js';

/** Keeps the schema cache of one project. A request takes `current()` once and uses that snapshot to its end. */
class ProjectSchema {
  readonly #project: Project;
  #snapshot: SchemaCache | undefined;
  #loadedAtMs = 0;
  #loading: Promise<SchemaCache> | undefined;
  /** A change was announced after the load under way had begun. */
  #again = false;
  #checking: Promise<SchemaCache> | undefined;
  /** What the snapshot is to show. */
  #schemas: readonly string[] = [];

  constructor(project: Project) {
    this.#project = project;
    reloadChannel(project).on('schema', () => this.#changed());
  }

  /** The snapshot in use; the first caller waits until there is one of the schemas that `settings` expose. */
  current({ schemas }: Pick<RestSettings, 'schemas'>): SchemaCache | Promise<SchemaCache> {
    if (this.#snapshot && areSame(this.#snapshot.schemas, schemas)) return this.#snapshot;
    return this.#loadOf(schemas);
  }

  /** The newest snapshot, if there is one. */
  get newest(): SchemaCache | undefined {
    return this.#snapshot;
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

  async #reloadIfChanged(): Promise<SchemaCache> {
    const { changes, isChanging } = await readSchemaVersion(this.#project.database);
    const snapshot = this.#snapshot;
    if (snapshot?.version.changes !== changes) return this.#load();
    if (!isChanging && !snapshot.version.isChanging) return snapshot;
    // A change that stays under way is not looked for by every miss, at the price of a whole load each.
    const isRecent = performance.now() - this.#loadedAtMs < limits.schemaReloadMs;
    return isChanging && isRecent ? snapshot : this.#load();
  }

  #loadOf(schemas: readonly string[]): Promise<SchemaCache> {
    if (!areSame(this.#schemas, schemas)) {
      this.#schemas = schemas;
      this.#again = true;
    }
    return this.#load();
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
      await reloadChannel(this.#project).listen();
      do {
        this.#again = false;
        this.#snapshot = await loadSchemaCache(this.#project, this.#schemas);
      } while (this.#again);
      this.#loadedAtMs = performance.now();
      return this.#snapshot;
    } catch (cause) {
      throw pgrstError('PGRST002', {
        message: 'Could not query the database for the schema cache. Retrying.',
        cause,
      });
    }
  }

  #changed(): void {
    if (!this.#snapshot && !this.#loading) return; // Nobody has asked yet.
    this.#again = true;
    // Requests go on with the old snapshot; if this load fails, the next miss or notification tries again.
    this.#load().catch(() => {});
  }
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((schema, i) => schema === b[i]));
}

/** The schema cache of `project`, made at first use. */
export const projectSchema = projectResource('data.schema', (project) => new ProjectSchema(project));

import { projectResource, type Project } from '#libs/platform';
import { limits } from '../limits.js';
import { ReloadedValue } from '../settings/reloaded-value.js';
import type { RestSettings } from '../settings/rest-settings.js';
import { loadSchemaCache, readSchemaVersion } from './load-schema-cache.js';
import type { SchemaCache } from './schema-cache.js';

/** Keeps the schema cache of one project. A request takes `current()` once and uses that snapshot to its end. */
class ProjectSchema {
  readonly #project: Project;
  readonly #cache: ReloadedValue<SchemaCache>;
  #loadedAtMs = 0;
  #checking: Promise<SchemaCache> | undefined;
  /** What the snapshot is to show. */
  #schemas: readonly string[] = [];

  constructor(project: Project) {
    this.#project = project;
    // Requests go on with the old snapshot; if a load fails, the next miss or notification tries again.
    this.#cache = new ReloadedValue(project, 'schema', () => this.#read());
  }

  /** The snapshot in use; the first caller waits until there is one of the schemas that `settings` expose. */
  current({ schemas }: Pick<RestSettings, 'schemas'>): SchemaCache | Promise<SchemaCache> {
    const snapshot = this.newest;
    if (snapshot && areSame(snapshot.schemas, schemas)) return snapshot;
    if (areSame(this.#schemas, schemas)) return this.#cache.load();
    this.#schemas = schemas;
    return this.#cache.reload();
  }

  /** The newest snapshot, if there is one. */
  get newest(): SchemaCache | undefined {
    return this.#cache.newest;
  }

  /**
   * Called when something was not found in `seen`: gives a newer snapshot if the schema has changed since,
   * so that a table can be used as soon as its migration has committed. Else gives `seen` back.
   */
  async newerThan(seen: SchemaCache): Promise<SchemaCache> {
    if (this.newest && this.newest !== seen) return this.newest;
    this.#checking ??= this.#reloadIfChanged().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #reloadIfChanged(): Promise<SchemaCache> {
    const { changes, isChanging } = await readSchemaVersion(this.#project.database);
    const snapshot = this.newest;
    if (snapshot?.version.changes !== changes) return this.#cache.load();
    if (!isChanging && !snapshot.version.isChanging) return snapshot;
    // A change that stays under way is not looked for by every miss, at the price of a whole load each.
    const isRecent = performance.now() - this.#loadedAtMs < limits.schemaReloadMs;
    return isChanging && isRecent ? snapshot : this.#cache.load();
  }

  async #read(): Promise<SchemaCache> {
    const snapshot = await loadSchemaCache(this.#project, this.#schemas);
    this.#loadedAtMs = performance.now();
    return snapshot;
  }
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((schema, i) => schema === b[i]));
}

/** The schema cache of `project`, made at first use. */
export const projectSchema = projectResource('data.schema', (project) => new ProjectSchema(project));

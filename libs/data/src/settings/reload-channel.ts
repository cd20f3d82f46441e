import { projectResource, type Project } from '#libs/platform';

export type Reloaded = 'schema' | 'config';

const reloads = new Map<string, readonly Reloaded[]>([
  ['', ['config', 'schema']],
  ['reload schema', ['config', 'schema']],
  ['reload config', ['config']],
]);

/**
 * Hears `NOTIFY pgrst`, by which a database tells that its schema (`'reload schema'`), its settings
 * (`'reload config'`) or both (no payload) have changed (postgrest.org, "Listener"). Settings are read again with the
 * schema, too, and both after the connection was lost.
 */
class ReloadChannel {
  readonly #project: Project;
  readonly #handlers: Record<Reloaded, Set<() => void>> = { schema: new Set(), config: new Set() };
  #listening: Promise<() => Promise<void>> | undefined;

  constructor(project: Project) {
    this.#project = project;
  }

  on(what: Reloaded, handler: () => void): void {
    this.#handlers[what].add(handler);
  }

  /** Resolves when notifications are heard. Whoever reads what they tell about does so after that. */
  async listen(): Promise<void> {
    this.#listening ??= this.#project.database
      .listen('pgrst', (payload) => this.#notified(payload))
      .catch((error) => {
        this.#listening = undefined;
        throw error;
      });
    await this.#listening;
  }

  async close(): Promise<void> {
    const stop = await this.#listening?.catch(() => undefined);
    await stop?.();
  }

  #notified(payload: string): void {
    for (const what of reloads.get(payload) ?? []) {
      for (const handler of this.#handlers[what]) handler();
    }
  }
}

export const reloadChannel = projectResource(
  'data.reload',
  (project) => new ReloadChannel(project),
  (channel) => channel.close(),
);

import type { Project } from '#libs/platform';
import { pgrstError } from '../errors.js';
import { reloadChannel, type Reloaded } from './reload-channel.js';

/** Something read from a project's database, which stays in use while it is read anew. */
export class ReloadedValue<T> {
  #value: T | undefined;
  #loading: Promise<T> | undefined;
  /** A change was announced after the load under way had begun. */
  #again = false;

  /**
   * @param what  tells that it has changed
   * @param read  reads it
   * @param onFailure  hears why it was not read after an announcement; it is announced again when the connection comes back
   */
  constructor(
    private readonly project: Project,
    what: Reloaded,
    private readonly read: () => Promise<T>,
    onFailure: (error: unknown) => void = () => {},
  ) {
    reloadChannel(project).on(what, () => {
      if (!this.#value && !this.#loading) return; // Nobody has asked yet.
      this.reload().catch(onFailure);
    });
  }

  /** What was read last, if anything was. */
  get newest(): T | undefined {
    return this.#value;
  }

  /**
   * Reads it, or waits for a load under way.
   * @throws AppError PGRST002 when the database cannot be asked
   */
  load(): Promise<T> {
    this.#loading ??= this.#loadUntilQuiet().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** Reads it, and once more after a load under way, which may not have seen what is wanted. */
  reload(): Promise<T> {
    this.#again = true;
    return this.load();
  }

  async #loadUntilQuiet(): Promise<T> {
    try {
      // Listen first: a change between the two would be missed the other way round.
      await reloadChannel(this.project).listen();
      do {
        this.#again = false;
        this.#value = await this.read();
      } while (this.#again);
      return this.#value;
    } catch (cause) {
      throw pgrstError('PGRST002', {
        message: 'Could not query the database for the schema cache. Retrying.',
        cause,
      });
    }
  }
}

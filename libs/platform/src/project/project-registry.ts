import type { Project } from './project.js';

/** The projects of this process, and which of them a request is for. */
export class ProjectRegistry {
  readonly #byRef = new Map<string, Project>();
  #first: Project | undefined;

  add(project: Project): void {
    this.#first ??= project;
    this.#byRef.set(project.ref, project);
  }

  /** The project named `ref`, in either length, if it is here. */
  get(ref: string): Project | undefined {
    return this.#byRef.get(ref) ?? this.all().find((project) => project.longRef === ref);
  }

  /** The project that answers at the root URL. */
  get first(): Project {
    if (!this.#first) throw new Error('No project has been opened yet.');
    return this.#first;
  }

  all(): Project[] {
    return [...this.#byRef.values()];
  }

  async close(): Promise<void> {
    await Promise.all(this.all().map((project) => project.close()));
    this.#byRef.clear();
    this.#first = undefined;
  }
}

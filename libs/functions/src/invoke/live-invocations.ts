import { Injectable } from '@nestjs/common';
import { InvocationLiveness, PlatformDatabase, type Project } from '#libs/platform';

/** Which invocations are under way: their tokens act, and die with them. */
@Injectable()
export class LiveInvocations extends InvocationLiveness {
  /** `project ref/invocation id` of those that this process runs. */
  readonly #own = new Set<string>();

  constructor(private readonly database: PlatformDatabase) {
    super();
  }

  /** Runs `work` as the invocation's life. */
  async during<T>(project: Project, invocationId: string, work: () => Promise<T>): Promise<T> {
    const key = keyOf(project, invocationId);
    this.#own.add(key);
    try {
      return await work();
    } finally {
      this.#own.delete(key);
    }
  }

  /** Event runs of other processes are known by the delivery that they hold. */
  async isLive(project: Project, invocationId: string): Promise<boolean> {
    if (this.#own.has(keyOf(project, invocationId))) return true;
    const { rows } = await this.database.query(
      `select 1 from deliveries where invocation_id = $1 and project_ref = $2 and state = 'running'`,
      [invocationId, project.ref],
    );
    return rows.length > 0;
  }
}

function keyOf(project: Project, invocationId: string): string {
  return `${project.ref}/${invocationId}`;
}

import type { Sql } from '#libs/platform';

/** What instances of a deployment used outside of any invocation. */
export interface BackgroundUsage {
  readonly projectRef: string;
  readonly functionSlug: string;
  readonly deploymentId: string;
  /** Processes that began to serve. */
  readonly starts: number;
  /** Processor time from spawn to listening. */
  readonly bootCpuMs: number;
  /** Processor time between and after invocations. */
  readonly idleCpuMs: number;
  /** What its functions exchanged with other hosts, TLS and all, by connections that ended. */
  readonly egressSentBytes: number;
  readonly egressReceivedBytes: number;
}

/** Sums up by hour and deployment, until it is written. */
export class BackgroundUsageSums {
  readonly #sums = new Map<string, BackgroundUsage & { readonly hour: string }>();

  get isEmpty(): boolean {
    return this.#sums.size === 0;
  }

  add(usage: BackgroundUsage, hour: string): void {
    const key = `${usage.deploymentId}\0${hour}`;
    const sum = this.#sums.get(key);
    this.#sums.set(key, {
      ...usage,
      hour,
      starts: usage.starts + (sum?.starts ?? 0),
      bootCpuMs: usage.bootCpuMs + (sum?.bootCpuMs ?? 0),
      idleCpuMs: usage.idleCpuMs + (sum?.idleCpuMs ?? 0),
      egressSentBytes: usage.egressSentBytes + (sum?.egressSentBytes ?? 0),
      egressReceivedBytes: usage.egressReceivedBytes + (sum?.egressReceivedBytes ?? 0),
    });
  }

  /** Whose it is. */
  get projects(): Set<string> {
    return new Set([...this.#sums.values()].map(({ projectRef }) => projectRef));
  }

  /** What is one project's of it. */
  of(projectRef: string): BackgroundUsageSums {
    const own = new BackgroundUsageSums();
    for (const [key, sum] of this.#sums) if (sum.projectRef === projectRef) own.#sums.set(key, sum);
    return own;
  }

  async write(sql: Sql): Promise<void> {
    const sums = [...this.#sums.values()];
    if (sums.length === 0) return;
    await sql.query(addBackgroundUsage, [
      sums.map((sum) => sum.projectRef),
      sums.map((sum) => sum.hour),
      sums.map((sum) => sum.deploymentId),
      sums.map((sum) => sum.functionSlug),
      sums.map((sum) => sum.starts),
      sums.map((sum) => sum.bootCpuMs),
      sums.map((sum) => sum.idleCpuMs),
      sums.map((sum) => sum.egressSentBytes),
      sums.map((sum) => sum.egressReceivedBytes),
    ]);
  }
}

const addBackgroundUsage = `
  insert into background_usage (project_ref, hour, deployment_id, function_slug, starts, boot_cpu_ms, idle_cpu_ms,
    egress_sent_bytes, egress_received_bytes)
  select * from unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::text[], $5::bigint[],
    $6::double precision[], $7::double precision[], $8::bigint[], $9::bigint[]) order by 1, 2, 3
  on conflict (project_ref, hour, deployment_id) do update set
    starts = background_usage.starts + excluded.starts,
    boot_cpu_ms = background_usage.boot_cpu_ms + excluded.boot_cpu_ms,
    idle_cpu_ms = background_usage.idle_cpu_ms + excluded.idle_cpu_ms,
    egress_sent_bytes = background_usage.egress_sent_bytes + excluded.egress_sent_bytes,
    egress_received_bytes = background_usage.egress_received_bytes + excluded.egress_received_bytes`;

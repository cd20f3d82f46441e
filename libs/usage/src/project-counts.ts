import type { Sql } from '#libs/platform';

/** What a project uses beside functions, counted as it happens. */
export type Meter = 'rows_read' | 'rows_written' | 'events';

/** Requests, and what passed through the connections of clients for them, heads and bodies. */
export interface RequestUsage {
  /** 0 when more passed for one that was counted before. */
  readonly requests: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Sums up requests, meters and active users, until they are written. */
export class ProjectCounts {
  /** `project ref, hour, service` → */
  readonly #requests = new Map<string, Writable<RequestUsage>>();
  /** `project ref, hour, meter` → */
  readonly #meters = new Map<string, number>();
  /** `project ref, first day of the month, user id` */
  readonly #activeUsers = new Set<string>();

  get isEmpty(): boolean {
    return this.#requests.size + this.#meters.size + this.#activeUsers.size === 0;
  }

  addRequest(projectRef: string, hour: string, service: string, usage: RequestUsage): void {
    this.#sumUpRequest(`${projectRef}\0${hour}\0${service}`, usage);
  }

  addMeter(projectRef: string, hour: string, meter: Meter, amount: number): void {
    this.#sumUpMeter(`${projectRef}\0${hour}\0${meter}`, amount);
  }

  addActiveUser(projectRef: string, month: string, userId: string): void {
    this.#activeUsers.add(`${projectRef}\0${month}\0${userId}`);
  }

  /** Whose they are. */
  get projects(): Set<string> {
    const keys = [...this.#requests.keys(), ...this.#meters.keys(), ...this.#activeUsers];
    return new Set(keys.map((key) => key.split('\0')[0]!));
  }

  /** What is one project's of it. */
  of(projectRef: string): ProjectCounts {
    const own = new ProjectCounts();
    const isOwn = (key: string) => key.startsWith(`${projectRef}\0`);
    for (const [key, usage] of this.#requests) if (isOwn(key)) own.#requests.set(key, usage);
    for (const [key, amount] of this.#meters) if (isOwn(key)) own.#meters.set(key, amount);
    for (const key of this.#activeUsers) if (isOwn(key)) own.#activeUsers.add(key);
    return own;
  }

  async write(sql: Sql): Promise<void> {
    if (this.#requests.size > 0) {
      const usages = [...this.#requests.values()];
      await sql.query(addRequestCounts, [
        ...columnsOf(this.#requests.keys()),
        usages.map((usage) => usage.requests),
        usages.map((usage) => usage.bytesIn),
        usages.map((usage) => usage.bytesOut),
      ]);
    }
    if (this.#meters.size > 0) {
      await sql.query(addMeters, [...columnsOf(this.#meters.keys()), [...this.#meters.values()]]);
    }
    if (this.#activeUsers.size > 0) await sql.query(addActiveUsers, columnsOf(this.#activeUsers));
  }

  #sumUpRequest(key: string, usage: RequestUsage): void {
    const sum = this.#requests.get(key);
    if (!sum) this.#requests.set(key, { ...usage });
    else {
      sum.requests += usage.requests;
      sum.bytesIn += usage.bytesIn;
      sum.bytesOut += usage.bytesOut;
    }
  }

  #sumUpMeter(key: string, amount: number): void {
    this.#meters.set(key, amount + (this.#meters.get(key) ?? 0));
  }
}

// All in the order of their keys, so that two servers never wait for each other crosswise.

const addRequestCounts = `
  insert into request_counts (project_ref, hour, service, count, bytes_in, bytes_out)
  select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
  order by 1, 2, 3
  on conflict (project_ref, hour, service) do update set count = request_counts.count + excluded.count,
    bytes_in = request_counts.bytes_in + excluded.bytes_in,
    bytes_out = request_counts.bytes_out + excluded.bytes_out`;

const addMeters = `
  insert into meter_hours (project_ref, hour, meter, amount)
  select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::bigint[]) order by 1, 2, 3
  on conflict (project_ref, hour, meter) do update set amount = meter_hours.amount + excluded.amount`;

const addActiveUsers = `
  insert into active_users (project_ref, month, user_id)
  select * from unnest($1::text[], $2::date[], $3::uuid[]) order by 1, 2, 3 on conflict do nothing`;

function columnsOf(keys: Iterable<string>): string[][] {
  const parts = [...keys].map((key) => key.split('\0'));
  return [0, 1, 2].map((i) => parts.map((part) => part[i]!));
}

import { Injectable } from '@nestjs/common';
import type { Project, Sql } from '#libs/platform';
import { hourText } from './hours.js';

/** What a project has, rather than does. */
export type Gauge = 'bytes_stored' | 'auth_users';

/** Features say how to look at what is theirs. */
@Injectable()
export class ProjectGauges {
  readonly #looks = new Map<Gauge, (project: Project) => Promise<number>>();

  add(gauge: Gauge, look: (project: Project) => Promise<number>): void {
    this.#looks.set(gauge, look);
  }

  /** Looks at all of them now; 0 where no feature of this process has it. */
  async now(project: Project): Promise<Record<Gauge, number>> {
    const amounts = { bytes_stored: 0, auth_users: 0 };
    await Promise.all(
      [...this.#looks].map(async ([gauge, look]) => {
        amounts[gauge] = await look(project);
      }),
    );
    return amounts;
  }

  /** Looks now, and keeps what it saw for this hour. */
  async note(sql: Sql, project: Project): Promise<Record<Gauge, number>> {
    const amounts = await this.now(project);
    const seen = [...this.#looks.keys()];
    await sql.query(
      `insert into gauge_hours (project_ref, hour, gauge, amount)
       select $1, $2, gauge, amount from unnest($3::text[], $4::bigint[]) as seen (gauge, amount) order by gauge
       on conflict (project_ref, hour, gauge) do update set amount = excluded.amount`,
      [project.ref, hourText(new Date()), seen, seen.map((gauge) => amounts[gauge])],
    );
    return amounts;
  }
}

import type { Sql } from '#libs/platform';

/** One try of a delivery, as its invocation was recorded. */
interface Attempt {
  readonly invocation_id: string;
  readonly attempt: number;
  /** Of this delivery, also where the invocation was for several. */
  readonly status: 'succeeded' | 'failed';
  readonly http_status: number | null;
  /** With the beginning of what the function answered. */
  readonly error: string | null;
  readonly deployment: number | null;
  readonly started_at: Date;
  readonly wall_ms: number;
}

/** The tries of a delivery that ended, oldest first. */
export async function attemptsOf(sql: Sql, deliveryId: string): Promise<Attempt[]> {
  const { rows } = await sql.query<Attempt>(
    `select i.id as invocation_id, i.attempt, i.http_status, i.error, d.number as deployment, i.started_at, i.wall_ms,
            case when b.succeeded is null then i.status when b.succeeded then 'succeeded' else 'failed' end as status
     from invocations i
       left join batch_items b on b.invocation_id = i.id and b.delivery_id = $1
       left join deployments d on d.id = i.deployment_id
     where i.delivery_id = $1 or i.id in (select invocation_id from batch_items where delivery_id = $1)
     order by i.started_at, i.id`,
    [deliveryId],
  );
  return rows;
}

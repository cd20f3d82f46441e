import type { UsageServer } from './usage-server.js';

/** Rows that all requests have read and written until now. */
export async function rowMeters(server: UsageServer): Promise<{ rows_read: number; rows_written: number }> {
  const rows = await server.rows<{ meter: string; amount: number }>(
    `select meter, sum(amount)::float8 as amount from meter_hours where meter like 'rows%' group by meter`,
  );
  const of = (name: string) => rows.find(({ meter }) => meter === name)?.amount ?? 0;
  return { rows_read: of('rows_read'), rows_written: of('rows_written') };
}

import { quoteQualified, type Sql } from '#libs/platform';

const triggerName = 'galley_row_changes';

/**
 * Installs the trigger that appends row events on `tables` (`schema.name`), where it is missing.
 * @param withdraw also remove it from all other tables
 */
export async function syncRowTriggers(tx: Sql, tables: readonly string[], withdraw: boolean): Promise<void> {
  const { rows } = await tx.query<{ name: string; watched: boolean }>(
    `select n.nspname || '.' || c.relname as name,
            exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = $2) as watched
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r'
       and (n.nspname || '.' || c.relname = any($1::text[])
         or exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = $2))`,
    [tables, triggerName],
  );
  const wanted = new Set(tables);
  for (const { name, watched } of rows) {
    const [schema, table] = name.split('.') as [string, string];
    const on = quoteQualified(schema, table);
    if (wanted.has(name) && !watched) {
      await tx.query(
        `create or replace trigger ${triggerName} after insert or update or delete on ${on}
         for each row execute function galley.append_row_change()`,
      );
    }
    if (withdraw && watched && !wanted.has(name)) await tx.query(`drop trigger ${triggerName} on ${on}`);
  }
}

import { quoteIdent, quoteQualified } from '#libs/platform';
import { bodyName, itemName, rowName, sourceName } from '../plan/aliases.js';
import type {
  Delete,
  Insert,
  MutatePlan,
  OnConflict,
  PlannedCondition,
  Returning,
  Slice,
  Update,
  Upsert,
} from '../plan/plan.js';
import { memberOf } from '../request/payload.js';
import type { Column } from '../schema-cache/schema-cache.js';
import { responseSql } from './body-sql.js';
import { applySql, columnSql, rowSql } from './field-sql.js';
import { conditionSql, rowsSql } from './rows-sql.js';
import { recordSql } from './record-sql.js';
import { Parameters, type SqlQuery } from './sql-query.js';

export function mutateSql(plan: MutatePlan): SqlQuery {
  const parameters = new Parameters();
  const change = changeSql(plan, parameters);
  const rows = plan.output ? rowsSql(plan.rows, parameters) : `select * from ${sourceName}`;
  const text = responseSql(plan, rows, {
    source: [sourceName, change],
    total: plan.count === undefined || plan.count === 'planned' ? 'null' : 'count(*)',
    location: locationSql(plan),
    inserted: countsInserted(plan.change) ? insertedSql : 'null',
    ...(plan.output && plan.rows.where.length > 0 && { changed: `(select count(*) from ${sourceName})` }),
  });
  return { text, values: parameters.values, readOnly: false, estimate: undefined };
}

export function changeSql(plan: MutatePlan, parameters: Parameters): string {
  const target = `${quoteQualified(plan.table.schema, plan.table.name)} as ${quoteIdent(plan.rows.alias)}`;
  const returning = returningSql(plan.rows.alias, plan.returning);
  const { change } = plan;
  switch (change.kind) {
    case 'insert':
    case 'upsert':
      return `insert into ${target} ${insertSql(change, parameters)} returning ${returning}`;
    case 'update':
      return change.columns.length === 0
        ? emptyUpdateSql(plan)
        : `update ${target} ${updateSql(plan.rows.alias, change, parameters)} returning ${returning}`;
    case 'delete':
      return `delete from ${target}${whereSql(plan.rows.alias, change, parameters)} returning ${returning}`;
  }
}

function returningSql(alias: string, { allColumns, columns }: Returning): string {
  const list = [
    ...(allColumns ? [`${quoteIdent(alias)}.*`] : []),
    ...columns.map((name) => columnSql(alias, name)),
  ];
  // Something must be returned to count the rows; a constant needs no right to read.
  return list.length === 0 ? '1' : list.join(', ');
}

function insertSql(insert: Insert | Upsert, parameters: Parameters): string {
  const { columns, onConflict } = insert;
  const names = columns.map((column) => quoteIdent(column.name)).join(', ');
  const values = newValuesSql(insert, parameters);
  const from = payloadSql(insert, parameters);
  const tests = insert.kind === 'upsert' ? testsSql(bodyName, insert.where, parameters) : [];
  if (countsInserted(insert)) tests.push(addInserted(1));
  const rows = `select ${values} ${from}${tests.length === 0 ? '' : ` where ${tests.join(' and ')}`}`;
  return `${columns.length === 0 ? '' : `(${names}) `}${rows}${onConflictSql(columns, onConflict)}`;
}

function onConflictSql(columns: readonly Column[], onConflict: OnConflict | undefined): string {
  if (!onConflict) return '';
  const target = ` on conflict (${onConflict.columns.map(quoteIdent).join(', ')})`;
  if (onConflict.resolution === 'ignore-duplicates' || columns.length === 0) return `${target} do nothing`;
  const set = columns.map(({ name }) => `${quoteIdent(name)} = excluded.${quoteIdent(name)}`);
  return `${target} do update set ${set.join(', ')} where ${addInserted(-1)}`;
}

function countsInserted(change: MutatePlan['change']): boolean {
  const isInsert = change.kind === 'insert' || change.kind === 'upsert';
  return isInsert && change.onConflict?.resolution === 'merge-duplicates';
}

// A statement cannot tell its inserted rows from its merged ones, so a transaction-local setting counts them:
// up for each row on its way in, down for each that met one there.
const insertedSql = `nullif(current_setting('galley.inserted', true), '')`;

function addInserted(step: 1 | -1): string {
  return `set_config('galley.inserted', (coalesce(${insertedSql}::int, 0) + ${step})::text, true) is not null`;
}

function updateSql(alias: string, update: Update, parameters: Parameters): string {
  const values = update.columns.map((column) => newValueSql(column, update, parameters));
  const set = update.columns.map((column, i) => `${quoteIdent(column.name)} = ${values[i]}`);
  const from = payloadSql(update, parameters);
  return `set ${set.join(', ')} ${from}${whereSql(alias, update, parameters)}`;
}

/** SET cannot be empty; a body without members changes nothing. */
function emptyUpdateSql({ table, rows, returning }: MutatePlan): string {
  const list = returningSql(rows.alias, returning);
  return `select ${list} from ${quoteQualified(table.schema, table.name)} as ${quoteIdent(rows.alias)} where false`;
}

function whereSql(alias: string, { where, slice }: Update | Delete, parameters: Parameters): string {
  const tests = slice ? [sliceSql(alias, slice, parameters)] : testsSql(alias, where, parameters);
  return tests.length === 0 ? '' : ` where ${tests.join(' and ')}`;
}

function testsSql(alias: string, where: readonly PlannedCondition[], parameters: Parameters): string[] {
  return where.map((condition) => conditionSql(alias, condition, parameters));
}

function sliceSql(alias: string, { keys, rows }: Slice, parameters: Parameters): string {
  return `(${keys.map((key) => columnSql(alias, key)).join(', ')}) in (${rowsSql(rows, parameters)})`;
}

function newValuesSql(insert: Insert | Upsert, parameters: Parameters): string {
  return insert.columns.map((column) => newValueSql(column, insert, parameters)).join(', ');
}

function newValueSql(
  column: Column,
  { payload, useDefaults }: Insert | Upsert | Update,
  parameters: Parameters,
): string {
  const fromJson = column.representation?.fromJson;
  const member = columnSql(bodyName, column.name);
  const given = fromJson ? applySql(fromJson, member) : member;
  if (!useDefaults || column.defaultValue === null) return given;
  const isGiven = `${itemName}.value ? ${parameters.add(memberOf(payload, column.name))}::text`;
  return `case when ${isGiven} then ${given} else ${column.defaultValue} end`;
}

/** The body as rows with typed columns. */
function payloadSql(
  { columns, payload, useDefaults }: Insert | Upsert | Update,
  parameters: Parameters,
): string {
  const isList = payload.kind === 'json-array';
  if (columns.length === 0 && !isList) return `from (values (1)) as ${bodyName}`;
  const body = `${parameters.add(payload.text)}::${useDefaults ? 'jsonb' : 'json'}`;
  if (columns.length === 0) return `from json_array_elements(${body}::json) as ${bodyName}`;
  const typed = columns.map(({ name, representation, type }) => ({
    name,
    type: representation?.fromJson ? 'json' : type,
  }));
  const record = (rows: string) => recordSql(rows, typed, payload);
  if (!useDefaults) return `from ${record(`${isList ? 'json_to_recordset' : 'json_to_record'}(${body})`)}`;
  const items = isList
    ? `jsonb_array_elements(${body}) as ${itemName} (value)`
    : `(select ${body} as value) as ${itemName}`;
  return `from ${items}, lateral ${record(`jsonb_to_record(${itemName}.value)`)}`;
}

/** Names and texts of the values, of one new row alone. */
function locationSql({ change }: MutatePlan): string {
  if (change.kind !== 'insert' || change.locationColumns.length === 0) return 'null';
  const values = `json_each_text(json_agg(${rowSql(rowName)}) -> 0)`;
  return `case when count(*) = 1 then (select json_agg(json_build_array(key, value)) from ${values}) end`;
}

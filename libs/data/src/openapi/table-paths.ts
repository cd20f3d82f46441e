import type { DescribedColumn, DescribedTable } from './schema-description.js';
import { summaryOf } from './summary.js';
import { defaultOf, valueSchema } from './value-types.js';

const reference = (name: string) => ({ $ref: `#/parameters/${name}` });

/** What can be done with a table or view. */
export function tablePath(table: DescribedTable): object {
  const { name, columns } = table;
  const filters = columns.map((column) => reference(`rowFilter.${name}.${column.name}`));
  const shared = { tags: [name], ...summaryOf(table.comment) };
  const get = {
    ...shared,
    parameters: [...filters, ...readParameters.map(reference)],
    responses: {
      200: { description: 'OK', schema: { type: 'array', items: { $ref: `#/definitions/${name}` } } },
      206: { description: 'Partial Content' },
    },
  };
  if (!table.isWritable) return { get };
  const body = reference(`body.${name}`);
  const noContent = { 204: { description: 'No Content' } };
  return {
    get,
    post: {
      ...shared,
      parameters: [body, reference('select'), reference('preferPost')],
      responses: { 201: { description: 'Created' } },
    },
    patch: {
      ...shared,
      parameters: [...filters, body, reference('preferReturn')],
      responses: noContent,
    },
    delete: { ...shared, parameters: [...filters, reference('preferReturn')], responses: noContent },
  };
}

const readParameters = ['select', 'order', 'range', 'rangeUnit', 'offset', 'limit', 'preferCount'];

/** The rows of a table or view as a JSON schema. */
export function tableDefinition(table: DescribedTable): object {
  const required = table.columns.filter((column) => !column.isNullable).map((column) => column.name);
  return {
    ...(table.comment !== null && { description: table.comment }),
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(table.columns.map((column) => [column.name, property(table, column)])),
    type: 'object',
  };
}

function property({ primaryKey }: DescribedTable, column: DescribedColumn): object {
  const { name, type, maxLength, enumValues, refersTo } = column;
  const value = defaultOf(type, column.defaultValue);
  const notes = [
    ...(primaryKey.includes(name) ? ['This is a Primary Key.<pk/>'] : []),
    ...(refersTo
      ? [
          `This is a Foreign Key to \`${refersTo.table}.${refersTo.column}\`.` +
            `<fk table='${refersTo.table}' column='${refersTo.column}'/>`,
        ]
      : []),
  ];
  const note = notes.length > 0 ? ['Note:', ...notes].join('\n') : undefined;
  const description = [column.comment, note].filter((part) => part != null).join('\n\n');
  return {
    ...(description !== '' && { description }),
    ...valueSchema(type),
    ...(maxLength !== null && { maxLength }),
    ...(value !== undefined && { default: value }),
    ...(enumValues.length > 0 && { enum: enumValues }),
  };
}

/** The parameters that the operations on one table share. */
export function rowParameters({ name, columns }: DescribedTable): [name: string, parameter: object][] {
  return [
    [
      `body.${name}`,
      { name, description: name, required: false, in: 'body', schema: { $ref: `#/definitions/${name}` } },
    ],
    ...columns.map((column): [string, object] => [
      `rowFilter.${name}.${column.name}`,
      {
        name: column.name,
        ...(column.comment !== null && { description: column.comment }),
        required: false,
        in: 'query',
        type: 'string',
      },
    ]),
  ];
}

const query = (name: string, description: string) => ({
  name,
  description,
  required: false,
  in: 'query',
  type: 'string',
});
const header = (name: string, description: string) => ({ ...query(name, description), in: 'header' });
const prefer = (values: readonly string[]) => ({
  ...header('Prefer', 'Preference'),
  ...(values.length > 0 && { enum: values }),
});
const returns = ['return=representation', 'return=minimal', 'return=none'];

/** The parameters that all operations share. */
export const sharedParameters = {
  preferParams: prefer([]),
  preferReturn: prefer(returns),
  preferCount: prefer(['count=none']),
  preferPost: prefer([...returns, 'resolution=ignore-duplicates', 'resolution=merge-duplicates']),
  select: query('select', 'Filtering Columns'),
  on_conflict: query('on_conflict', 'On Conflict'),
  order: query('order', 'Ordering'),
  range: header('Range', 'Limiting and Pagination'),
  rangeUnit: { ...header('Range-Unit', 'Limiting and Pagination'), default: 'items' },
  offset: query('offset', 'Limiting and Pagination'),
  limit: query('limit', 'Limiting and Pagination'),
};

import { summedFields, type FunctionUsage } from './function-usage.sql.js';

type Cell = string | number | Date | null;

/** One line for each row of `functions`, or of `series` where there is one; RFC 4180. */
export function usageCsv(report: {
  readonly functions: readonly (Omit<FunctionUsage, 'at'> & {
    readonly cost: number;
    readonly projected: number;
    readonly always_on: { readonly cost: number | null };
    readonly saved_percent: number | null;
  })[];
  readonly series?: readonly (FunctionUsage & { readonly cost: number })[];
}): string {
  const fields = [...summedFields, 'peak_memory_bytes'] as const;
  const lines: Cell[][] = report.series
    ? [
        ['at', 'function', ...fields, 'cost'],
        ...report.series.map((row) => [row.at, row.function, ...fields.map((field) => row[field]), row.cost]),
      ]
    : [
        ['function', ...fields, 'cost', 'projected', 'always_on_cost', 'saved_percent'],
        ...report.functions.map((row) => [
          row.function,
          ...fields.map((field) => row[field]),
          row.cost,
          row.projected,
          row.always_on.cost,
          row.saved_percent,
        ]),
      ];
  return lines.map((line) => `${line.map(textOf).join(',')}\r\n`).join('');
}

/** Names of functions are letters, digits, `-` and `_`: nothing needs quotes. */
function textOf(cell: Cell): string {
  if (cell === null) return '';
  return cell instanceof Date ? cell.toISOString() : String(cell);
}

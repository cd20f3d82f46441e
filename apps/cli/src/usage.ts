import { table, type Call, type Command } from './command.js';
import { manage } from './connection.js';

interface Costs {
  readonly cost: number;
  readonly projected: number;
  readonly always_on: { readonly cost: number | null };
  readonly saved_percent: number | null;
}

interface Report {
  readonly period: { readonly from: string; readonly to: string };
  readonly prices: { readonly name: string; readonly currency: string; readonly as_of: string | null };
  readonly functions: readonly (Costs & {
    readonly function: string;
    readonly invocations: number;
    readonly gb_ms: number;
  })[];
  /** A line for each quantity that has a price. */
  readonly charges: readonly unknown[];
  readonly total: { readonly cost: number; readonly projected: number; readonly functions: Costs };
}

export const usageCommand: Command = {
  name: 'usage',
  parameters: '',
  summary:
    'what functions used and cost this month (UTC), beside an always-on server; --from, --to, --prices aws-lambda',
  options: { from: { type: 'string' }, to: { type: 'string' }, prices: { type: 'string' } },
  talksToServer: true,
  run: tellUsage,
};

/** Prices of one's own machine are zero unless they were set: then somebody's published ones say more. */
const comparedWith = 'aws-lambda';

async function tellUsage({ options, say, note, connect }: Call): Promise<void> {
  const management = await connect();
  const asked = Object.fromEntries(
    ['from', 'to', 'prices'].flatMap((name) =>
      options[name] === undefined ? [] : [[name, String(options[name])]],
    ),
  );
  const read = (more: Record<string, string> = {}) =>
    manage<Report>(management, `/usage?${new URLSearchParams({ ...asked, ...more })}`);
  const own = await read();
  const hasPrices = own.charges.length > 0 || own.total.functions.always_on.cost !== null;
  const isFree = options['prices'] === undefined && !hasPrices;
  const report = isFree ? await read({ prices: comparedWith }) : own;
  const { name, currency, as_of: asOf } = report.prices;
  const row = (title: string, calls: number, gbMs: number, costs: Costs) => [
    title,
    String(calls),
    (gbMs / 1000).toFixed(2),
    money(costs.cost),
    money(costs.projected),
    costs.always_on.cost === null ? '-' : money(costs.always_on.cost),
    // Rounded down: nothing saves all.
    costs.saved_percent === null ? '-' : `${(Math.floor(costs.saved_percent * 10) / 10).toFixed(1)} %`,
  ];
  const rows = report.functions.map((each) => row(each.function, each.invocations, each.gb_ms, each));
  const sum = (field: 'invocations' | 'gb_ms') =>
    report.functions.reduce((total, each) => total + each[field], 0);
  rows.push(row('all', sum('invocations'), sum('gb_ms'), report.total.functions));
  say(table(['FUNCTION', 'CALLS', 'GB-S', 'COST', 'PROJECTED', 'ALWAYS ON', 'SAVED'], rows));
  note(
    `\n${report.period.from.slice(0, 10)} to ${report.period.to.slice(0, 10)}, in ${currency} at the prices of ${name}${asOf ? ` (${asOf})` : ''}${isFree ? '; here it costs nothing' : ''}.`,
  );
  const { cost, projected, functions } = report.total;
  if (Math.abs(projected - functions.projected) > 1e-9) {
    note(`With all that is no function's: ${money(cost)} so far, ${money(projected)} projected.`);
  }
  note(
    'ALWAYS ON: a server for the whole period with the memory that calls took at their peak: what the prices name, or at the same price.',
  );
}

function money(amount: number): string {
  return amount === 0 || amount >= 0.01 ? amount.toFixed(2) : amount.toPrecision(2);
}

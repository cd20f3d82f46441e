import { isId, OperatorError } from '#libs/platform';
import { table, timeText, type Call, type Command } from './command.js';
import { jsonBody, manage } from './connection.js';

export const eventCommands: readonly Command[] = [
  {
    name: 'events list',
    parameters: '[function]',
    summary:
      'list what is on its way to functions and what became of it, the newest first; --state dead, --limit',
    options: { state: { type: 'string' }, limit: { type: 'string' } },
    talksToServer: true,
    run: listDeliveries,
  },
  {
    name: 'events show',
    parameters: '<id>',
    summary: 'print a delivery with each of its tries and what it tells',
    talksToServer: true,
    run: showDelivery,
  },
  {
    name: 'events redrive',
    parameters: '<id or function>',
    summary: 'try a dead letter again, or those of a function; --event and --error choose among these',
    options: { event: { type: 'string' }, error: { type: 'string' } },
    talksToServer: true,
    run: redrive,
  },
  {
    name: 'events replay',
    parameters: '<id>',
    summary: 'make a delivery once more that has ended; --deployment <number> for another one than answers',
    options: { deployment: { type: 'string' } },
    talksToServer: true,
    run: replay,
  },
  {
    name: 'events cancel',
    parameters: '<id>',
    summary: 'give up a delivery that waits',
    talksToServer: true,
    run: async ({ args, say, connect }) => {
      await manage(await connect(), `${deliveryPath(args[0]!)}/cancel`, { method: 'POST' });
      say(`${args[0]}: cancelled`);
    },
  },
  {
    name: 'events pause',
    parameters: '<function>',
    summary: "let a function's events wait",
    talksToServer: true,
    run: async ({ args, say, connect }) => {
      await manage(await connect(), `${functionPath(args[0]!)}/pause`, { method: 'POST' });
      say(`function ${args[0]}: events wait`);
    },
  },
  {
    name: 'events resume',
    parameters: '<function>',
    summary: 'let them go on',
    talksToServer: true,
    run: async ({ args, say, connect }) => {
      await manage(await connect(), `${functionPath(args[0]!)}/resume`, { method: 'POST' });
      say(`function ${args[0]}: events go on`);
    },
  },
];

interface ListedDelivery {
  readonly id: string;
  readonly function: string;
  readonly event: string;
  readonly state: string;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly created_at: string;
}

/** As `GET …/deliveries/<id>` answers it. */
interface ShownDelivery extends ListedDelivery {
  readonly payload: unknown;
  readonly request_id: string;
  readonly deployment: number | null;
  readonly finished_at: string | null;
  readonly tries: readonly {
    readonly attempt: number;
    readonly status: string;
    readonly http_status: number | null;
    readonly error: string | null;
    readonly deployment: number | null;
    readonly started_at: string;
    readonly wall_ms: number;
    readonly invocation_id: string;
  }[];
}

const deliveryPath = (id: string) => `/deliveries/${encodeURIComponent(id)}`;
const functionPath = (name: string) => `/functions/${encodeURIComponent(name)}/events`;
/** Of an error in a table, what stands on its first line. */
const shownErrorChars = 60;

async function listDeliveries({ args, options, say, connect }: Call): Promise<void> {
  const { state, limit = '20' } = options;
  const query = new URLSearchParams({
    limit: String(limit),
    ...(args[0] !== undefined && { function: args[0] }),
    ...(state !== undefined && { state: String(state) }),
  });
  const deliveries = await manage<ListedDelivery[]>(await connect(), `/deliveries?${query}`);
  const rows = deliveries.map((delivery) => [
    delivery.id,
    delivery.function,
    delivery.event,
    delivery.state,
    String(delivery.attempts),
    timeText(delivery.created_at),
    shortened(delivery.last_error ?? ''),
  ]);
  say(table(['ID', 'FUNCTION', 'EVENT', 'STATE', 'TRIES', 'SINCE (UTC)', 'LAST ERROR'], rows));
}

function shortened(error: string): string {
  const [line] = error.split('\n') as [string];
  return line.length > shownErrorChars ? `${line.slice(0, shownErrorChars - 1)}…` : line;
}

async function showDelivery({ args, say, connect }: Call): Promise<void> {
  const shown = await manage<ShownDelivery>(await connect(), deliveryPath(args[0]!));
  const { event, function: name, state, created_at: createdAt, finished_at: finishedAt } = shown;
  say(`${event} → ${name}${shown.deployment === null ? '' : `@${shown.deployment}`}: ${state}`);
  say(`since ${timeText(createdAt)}, ended ${timeText(finishedAt)} (UTC), request ${shown.request_id}`);
  if (shown.last_error !== null) say(shown.last_error);
  const rows = shown.tries.map((one) => [
    String(one.attempt),
    timeText(one.started_at),
    one.deployment === null ? '-' : String(one.deployment),
    one.status,
    one.http_status === null ? '-' : String(one.http_status),
    `${Math.round(one.wall_ms)} ms`,
    one.invocation_id.slice(one.invocation_id.lastIndexOf('-') + 1),
    shortened(one.error ?? ''),
  ]);
  say('');
  say(table(['TRY', 'BEGAN (UTC)', 'DEPLOYMENT', 'ENDED', 'STATUS', 'TOOK', 'INVOCATION', 'ERROR'], rows));
  say('');
  say(JSON.stringify(shown.payload, undefined, 2));
}

async function redrive({ args, options, say, connect }: Call): Promise<void> {
  const [name] = args as [string];
  const { event, error } = options;
  const management = await connect();
  if (isId(name)) {
    if (event !== undefined || error !== undefined)
      throw new OperatorError('--event and --error choose among the dead letters of a function.');
    await manage(management, `${deliveryPath(name)}/redrive`, { method: 'POST' });
    return say(`${name}: queued`);
  }
  const path = `${functionPath(name)}/redrive`;
  const answer = await manage<{ redriven: number; remaining: number }>(
    management,
    path,
    jsonBody('POST', { event, error }),
  );
  say(`function ${name}: ${answer.redriven} queued, ${answer.remaining} left`);
}

async function replay({ args, options, say, connect }: Call): Promise<void> {
  const number = options['deployment'];
  if (number !== undefined && !/^[1-9]\d{0,8}$/.test(String(number)))
    throw new OperatorError(`${String(number)} is not the number of a deployment.`);
  const body = number === undefined ? {} : { deployment: Number(number) };
  const { id } = await manage<{ id: string }>(
    await connect(),
    `${deliveryPath(args[0]!)}/replay`,
    jsonBody('POST', body),
  );
  say(`${id}: queued`);
}

import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { configFromEnvironment, OperatorError } from '#libs/platform';
import { findServer, manage, type Connection } from './connection.js';

type Say = (line: string) => void;

interface LogLine {
  readonly at: string;
  readonly level: string;
  readonly function: string;
  readonly message: string;
}

const usage = `Usage:
  galley functions logs [name]     what a function wrote, or all of them
    --follow, -f                   go on with new lines, until Ctrl-C
    --level <level>                debug, info, warn or error: this one and worse ones
    --text <text>                  lines that hold it, in whichever case
    --invocation <id>              lines of one invocation
    --limit <number>               how many lines there are to begin with; 100, or 10 with --follow
`;
const reconnectMs = 1_000;

/** `galley functions logs`. @throws OperatorError */
export async function functionLogs(args: readonly string[], say: Say): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      follow: { type: 'boolean', short: 'f', default: false },
      level: { type: 'string' },
      text: { type: 'string' },
      invocation: { type: 'string' },
      limit: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return say(usage.trimEnd());
  if (positionals.length > 1) throw new OperatorError(usage);
  const { follow, level, text, invocation, limit = follow ? '10' : '100' } = values;
  const query = new URLSearchParams({
    limit,
    ...(level && { min_level: level }),
    ...(text && { text }),
    ...(invocation && { invocation_id: invocation }),
  });
  const connection = await findServer(configFromEnvironment().dataDir);
  if (!connection) throw new OperatorError('No server is running. Start one first: npm start');
  const [name] = positionals;
  const path = name === undefined ? '/functions/logs' : `/functions/${encodeURIComponent(name)}/logs`;
  if (follow) return followLines(connection, `${path}/tail?${query}`, say);
  const lines = await manage<LogLine[]>(connection, `${path}?${query}`);
  for (const line of lines.toReversed()) say(rendered(line));
}

/** Goes on where it was when the server was away for a while; ends only with the process. */
async function followLines(connection: Connection, path: string, say: Say): Promise<never> {
  let lastId = '';
  for (;;) {
    try {
      for await (const event of eventsOf(connection, path, lastId)) {
        lastId = event.id ?? lastId;
        if (event.type === 'skipped')
          say(`(${(JSON.parse(event.data) as { lines: number }).lines} lines left out)`);
        else if (event.data !== '') say(rendered(JSON.parse(event.data) as LogLine));
      }
    } catch (error) {
      if (error instanceof OperatorError) throw error;
    }
    await delay(reconnectMs);
  }
}

/** The events of one connection. @throws OperatorError when the server refuses */
async function* eventsOf(connection: Connection, path: string, lastId: string) {
  const response = await fetch(`${connection.url}/v1/projects/local${path}`, {
    headers: {
      authorization: `Bearer ${connection.secretKey}`,
      ...(lastId !== '' && { 'last-event-id': lastId }),
    },
  });
  if (!response.ok) {
    const { message } = (await response.json().catch(() => ({}))) as { message?: string };
    // One that stops, or has too many readers, may take this one later.
    if (response.status === 429 || response.status >= 500) return;
    throw new OperatorError(message ?? `The server answered ${response.status}.`);
  }
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + chunk).split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => splitField(line)));
      yield { id: fields.get('id'), type: fields.get('event'), data: fields.get('data') ?? '' };
    }
  }
}

function splitField(line: string): [string, string] {
  const at = line.indexOf(': ');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 2)];
}

function rendered({ at, level, function: slug, message }: LogLine): string {
  return `${at} ${level.padEnd(5)} ${slug}: ${message.replaceAll('\n', '\n    ')}`;
}

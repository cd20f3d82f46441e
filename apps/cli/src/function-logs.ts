import { setTimeout as delay } from 'node:timers/promises';
import { OperatorError } from '#libs/platform';
import type { Call, Say } from './command.js';
import { manage, refusal, type Management } from './connection.js';
import { readEvents, type ServerSentEvent } from './read-events.js';

interface LogLine {
  readonly at: string;
  readonly level: string;
  readonly function: string;
  readonly invocation_id: string | null;
  readonly message: string;
}

/** From all to the worst alone. */
const levels: readonly string[] = ['debug', 'info', 'warn', 'error'];
const reconnectMs = 1_000;

/** `galley functions logs`: 100 lines, or 10 to begin with when it follows. */
export async function functionLogs({ args, options, say, connect }: Call): Promise<void> {
  const { follow, level, text, invocation, limit = follow ? '10' : '100' } = options as LogOptions;
  if (level !== undefined && !levels.includes(level))
    throw new OperatorError(`--level: expected ${levels.join(', ')}.`);
  if (!/^\d+$/.test(limit)) throw new OperatorError('--limit: expected a whole number.');
  const query = new URLSearchParams({
    limit,
    ...(level && { min_level: level }),
    ...(text && { text }),
    ...(invocation && { invocation_id: invocation }),
  });
  const management = await connect();
  const [name] = args;
  const path = name === undefined ? '/functions/logs' : `/functions/${encodeURIComponent(name)}/logs`;
  if (follow) return followLines(management, `${path}/tail?${query}`, say);
  const lines = await manage<LogLine[]>(management, `${path}?${query}`);
  for (const line of lines.toReversed()) say(rendered(line));
}

interface LogOptions {
  readonly follow?: boolean;
  readonly level?: string;
  readonly text?: string;
  readonly invocation?: string;
  readonly limit?: string;
}

/** Goes on where it was when the server was away for a while; ends only with the process. */
async function followLines(management: Management, path: string, say: Say): Promise<never> {
  let lastId = '';
  for (;;) {
    try {
      for await (const { id, event, data } of eventsOf(management, path, lastId)) {
        lastId = id ?? lastId;
        if (event === 'skipped') say(`(${(data as { lines: number }).lines} lines left out)`);
        else if (data !== undefined) say(rendered(data as LogLine));
      }
    } catch (error) {
      if (error instanceof OperatorError) throw error;
    }
    await delay(reconnectMs);
  }
}

/** The events of one connection. @throws OperatorError when the server refuses */
async function* eventsOf(
  { url, token }: Management,
  path: string,
  lastId: string,
): AsyncGenerator<ServerSentEvent> {
  const response = await fetch(`${url}/v1/projects/local${path}`, {
    headers: { authorization: `Bearer ${token}`, ...(lastId !== '' && { 'last-event-id': lastId }) },
  });
  // One that stops, or has too many readers, may take this one later.
  if (response.status === 429 || response.status >= 500) return;
  if (!response.ok) throw await refusal(response);
  yield* readEvents(response);
}

/** An invocation by the last part of its id, which tells it from others as well as the whole, and `--invocation` takes. */
function rendered({ at, level, function: slug, invocation_id: invocation, message }: LogLine): string {
  const writer = invocation === null ? slug : `${slug} ${invocation.slice(invocation.lastIndexOf('-') + 1)}`;
  return `${at} ${level.padEnd(5)} ${writer}: ${message.replaceAll('\n', '\n    ')}`;
}

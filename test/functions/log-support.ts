import { eventually } from '../support/eventually.js';
import type { FunctionsServer } from './functions-server.js';

/** A log line as the management API tells it. */
export interface LogLine {
  id: string;
  function: string;
  deployment: number;
  invocation_id: string | null;
  source: 'function' | 'platform';
  level: string;
  message: string;
  at: string;
}

/** Deploys several files; `functions/<slug>/index.ts` serves. */
export async function deployFiles(
  server: FunctionsServer,
  slug: string,
  files: Record<string, string>,
  manifest: Record<string, unknown> = {},
): Promise<void> {
  const form = new FormData();
  const metadata = { name: slug, entrypoint_path: `functions/${slug}/index.ts`, galley: manifest };
  form.append('metadata', JSON.stringify(metadata));
  for (const [path, text] of Object.entries(files)) form.append('file', new Blob([text]), path);
  const { status, body } = await server.manage('POST', `/functions/deploy?slug=${slug}`, form);
  if (status !== 201) throw new Error(`Deploying ${slug} answered ${status}: ${JSON.stringify(body)}`);
}

/** Lines as the management API lists them, at a path below that of functions. */
export async function listedLines(server: FunctionsServer, path: string): Promise<LogLine[]> {
  const { status, body } = await server.manage('GET', `/functions/${path}`);
  if (status !== 200) throw new Error(`${path} answered ${status}: ${JSON.stringify(body)}`);
  return body as unknown as LogLine[];
}

/** The function's lines, oldest first, once there are `count` of them. */
export async function writtenLines(
  server: FunctionsServer,
  slug: string,
  count: number,
  query = '',
): Promise<LogLine[]> {
  return eventually(
    async () => {
      const { body } = await server.manage('GET', `/functions/${slug}/logs?order=asc${query}`);
      const lines = (body as unknown as LogLine[]).filter(({ source }) => source === 'function');
      return lines.length >= count && lines;
    },
    { what: `${count} lines of ${slug}` },
  );
}

interface TailEvent {
  id: string | undefined;
  type: string;
  data: LogLine & { lines: number };
}

/** A live tail as a client reads it. */
export interface TailReader {
  readonly response: Response;
  /** Those that came until now. */
  readonly events: TailEvent[];
  /** The last id that the server told, with an event or without. */
  lastId(): string;
  /** Resolves when the server has ended the tail, or it broke off. */
  readonly ended: Promise<'whole' | 'broken'>;
  close(): void;
}

export async function openTail(
  server: Pick<FunctionsServer, 'url' | 'keys'>,
  path: string,
  lastEventId?: string,
): Promise<TailReader> {
  const abort = new AbortController();
  const response = await fetch(`${server.url}/v1/projects/local/functions/${path}`, {
    signal: abort.signal,
    headers: {
      authorization: `Bearer ${server.keys.secretKey}`,
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    },
  });
  const events: TailEvent[] = [];
  let lastId = '';
  const take = (block: string) => {
    const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s) as [string, string]));
    lastId = fields.get('id') ?? lastId;
    const data = fields.get('data');
    if (data === undefined) return;
    const type = fields.get('event') ?? 'message';
    events.push({ id: fields.get('id'), type, data: JSON.parse(data) as TailEvent['data'] });
  };
  const read = async () => {
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop()!;
      blocks.forEach(take);
    }
    return 'whole' as const;
  };
  return {
    response,
    events,
    lastId: () => lastId,
    ended: response.ok ? read().catch(() => 'broken' as const) : Promise.resolve('whole'),
    close: () => abort.abort(),
  };
}

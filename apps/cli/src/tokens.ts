import { OperatorError } from '#libs/platform';
import { table, timeText, type Call, type Command } from './command.js';
import { jsonBody, request, type Management } from './connection.js';

export const tokenCommands: readonly Command[] = [
  {
    name: 'tokens create',
    parameters: '<name>',
    summary: 'make a personal access token and print it this once; --expires-in-days <days>',
    options: { 'expires-in-days': { type: 'string' } },
    talksToServer: true,
    run: createToken,
  },
  {
    name: 'tokens list',
    parameters: '',
    summary: 'list personal access tokens',
    talksToServer: true,
    run: async ({ say, connect }) => {
      const rows = (await listTokens(await connect())).map((token) => [
        token.id,
        token.name,
        timeText(token.created_at),
        timeText(token.last_used_at),
        timeText(token.expires_at),
      ]);
      say(table(['ID', 'NAME', 'CREATED (UTC)', 'LAST USED', 'EXPIRES'], rows));
    },
  },
  {
    name: 'tokens revoke',
    parameters: '<id or name>',
    summary: 'end a personal access token',
    talksToServer: true,
    run: revokeToken,
  },
];

interface Token {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  readonly last_used_at: string | null;
  readonly expires_at: string | null;
}

const path = '/v1/access-tokens';
const dayMs = 24 * 3600 * 1000;

async function listTokens(management: Management): Promise<Token[]> {
  return (await (await request(management, path)).json()) as Token[];
}

async function createToken({ args, options, say, note, connect }: Call): Promise<void> {
  const days = options['expires-in-days'];
  if (days !== undefined && !/^[1-9]\d{0,3}$/.test(String(days))) {
    throw new OperatorError('--expires-in-days: expected a whole number from 1 to 9999.');
  }
  const expiresAt = days === undefined ? null : new Date(Date.now() + Number(days) * dayMs);
  const body = { name: args[0], expires_at: expiresAt };
  const response = await request(await connect(), path, jsonBody('POST', body));
  note('This is shown once; keep it as GALLEY_ACCESS_TOKEN, or SUPABASE_ACCESS_TOKEN for the Supabase CLI:');
  say(((await response.json()) as { token: string }).token);
}

async function revokeToken({ args, say, connect }: Call): Promise<void> {
  const management = await connect();
  const wanted = args[0]!;
  const found = (await listTokens(management)).filter(({ id, name }) => id === wanted || name === wanted);
  if (found.length > 1)
    throw new OperatorError(`There are ${found.length} tokens named ${wanted}; give the id.`);
  const [token] = found;
  if (!token) throw new OperatorError(`There is no access token ${wanted}.`);
  await request(management, `${path}/${token.id}`, { method: 'DELETE' });
  say(`revoked: ${token.name}`);
}

import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseEnv } from 'node:util';
import { OperatorError } from '#libs/platform';
import { table, timeText, type Call, type Command } from './command.js';
import { jsonBody, manage } from './connection.js';

export const secretCommands: readonly Command[] = [
  {
    name: 'secrets set',
    parameters: '[NAME=value…]',
    summary: 'set secrets; --file <path> reads them from a file, or with - from standard input',
    // Not `--env-file`: Node 20 takes that for itself wherever it stands, and would read the secrets into our own environment.
    options: { file: { type: 'string' } },
    talksToServer: true,
    run: setSecrets,
  },
  {
    name: 'secrets list',
    parameters: '',
    summary: "list secrets by name, with their values' SHA-256",
    talksToServer: true,
    run: listSecrets,
  },
  {
    name: 'secrets unset',
    parameters: '<NAME…>',
    summary: 'remove secrets',
    talksToServer: true,
    run: unsetSecrets,
  },
];

async function setSecrets({ args, options, say, connect }: Call): Promise<void> {
  const values = new Map<string, string>();
  if (typeof options['file'] === 'string') {
    for (const [name, value] of Object.entries(await readEnvFile(options['file']))) values.set(name, value);
  }
  for (const pair of args) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    // The argument may be a secret that was typed in the wrong place: it is not repeated.
    if (name === undefined) throw new OperatorError('Expected NAME=value, or --file <path>.');
    values.set(name, value!);
  }
  if (values.size === 0) throw new OperatorError('No secret was given: NAME=value, or --file <path>.');
  const secrets = [...values].map(([name, value]) => ({ name, value }));
  await manage(await connect(), '/secrets', jsonBody('POST', secrets));
  say(`set: ${[...values.keys()].join(', ')}`);
}

async function readEnvFile(path: string): Promise<Record<string, string>> {
  try {
    const content = path === '-' ? await text(process.stdin) : await readFile(path, 'utf8');
    return parseEnv(content) as Record<string, string>;
  } catch (cause) {
    throw new OperatorError(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

async function listSecrets({ say, connect }: Call): Promise<void> {
  type Secret = { name: string; value: string; updated_at: string };
  const secrets = await manage<Secret[]>(await connect(), '/secrets');
  say(
    table(
      ['NAME', 'SHA-256', 'SET (UTC)'],
      secrets.map(({ name, value, updated_at: setAt }) => [name, value, timeText(setAt)]),
    ),
  );
}

async function unsetSecrets({ args, say, connect }: Call): Promise<void> {
  await manage(await connect(), '/secrets', jsonBody('DELETE', args));
  say(`unset: ${args.join(', ')}`);
}

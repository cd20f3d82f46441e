#!/usr/bin/env node
// The `galley` command.
import { parseArgs } from 'node:util';
import { configFromEnvironment, OperatorError } from '#libs/platform';
import { checkArguments, type Call, type Command } from './command.js';
import { findManagement } from './connection.js';
import { deploy } from './deploy.js';
import { eventCommands } from './events.js';
import { functionCommands } from './functions.js';
import { secretCommands } from './secrets.js';
import { tokenCommands } from './tokens.js';
import { typesCommand } from './types.js';
import { usageCommand } from './usage.js';

const commands: readonly Command[] = [
  {
    name: 'start',
    parameters: '[project folder]',
    summary: 'start everything in this process',
    talksToServer: false,
    // A server's modules take a second to load, which the other commands do not wait for.
    run: async ({ args }) => (await import('./start.js')).start(args[0]),
  },
  {
    name: 'deploy',
    parameters: '[project folder]',
    summary:
      "bring a project folder's migrations and functions to the server; --no-check skips the check of types",
    options: { 'no-check': { type: 'boolean' } },
    talksToServer: true,
    run: async ({ args, options, say, note, connect }) =>
      deploy(await connect(), args[0] ?? '.', say, { check: !options['no-check'], note }),
  },
  {
    name: 'demo',
    parameters: '',
    summary: 'play the story of an uploaded picture; starts a server if none runs',
    talksToServer: false,
    run: async (call) => (await import('./demo.js')).demo(call.say),
  },
  ...functionCommands,
  ...eventCommands,
  ...secretCommands,
  ...tokenCommands,
  typesCommand,
  usageCommand,
];

const widest = Math.max(...commands.map(({ name, parameters }) => `${name} ${parameters}`.length));
const usageOf = (listed: readonly Command[]) => `Usage:
${listed.map((command) => `  galley ${titleOf(command).padEnd(widest)}  ${command.summary}`).join('\n')}

The server is the one that runs on this data directory, or --url and --token (GALLEY_URL, GALLEY_ACCESS_TOKEN). Others
can see what stands on a command line: the environment is the better place for a token.
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);
const note = (line: string) => void process.stderr.write(`${line}\n`);

async function main(argv: readonly string[]): Promise<void> {
  const command = commandOf(argv);
  if (!command) {
    const words = argv.filter((word) => word !== '--help' && word !== '-h');
    const group = commands.filter(({ name }) => name.startsWith(`${words[0]} `));
    const usage = usageOf(group.length > 0 ? group : commands);
    const isQuestion = words.length < argv.length || words.length === (group.length > 0 ? 1 : 0);
    if (isQuestion) return say(usage.trimEnd());
    throw new OperatorError(`galley: there is no \`${argv.join(' ')}\`.\n\n${usage}`);
  }
  const { positionals, values } = parseArgs({
    args: argv.slice(command.name.split(' ').length),
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      ...(command.talksToServer && { url: { type: 'string' }, token: { type: 'string' } }),
      ...command.options,
    },
  });
  const options = values as Call['options'];
  if (options['help']) return say(`galley ${titleOf(command)}\n${command.summary}`);
  checkArguments(command, positionals);
  const given = { url: options['url'] as string | undefined, token: options['token'] as string | undefined };
  const connect = () => findManagement(configFromEnvironment().dataDir, given);
  await command.run({ args: positionals, options, say, note, connect });
}

/** The command whose words stand first. */
function commandOf(argv: readonly string[]): Command | undefined {
  return commands.find(({ name }) => name.split(' ').every((word, index) => argv[index] === word));
}

function titleOf({ name, parameters }: Command): string {
  return `${name} ${parameters}`.trimEnd();
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const known =
    error instanceof OperatorError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${known ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
  process.exit(1);
}

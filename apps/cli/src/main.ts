#!/usr/bin/env node
// The `galley` command.
import { parseArgs } from 'node:util';
import { configFromEnvironment, OperatorError } from '#libs/platform';
import { findServer } from './connection.js';
import { demo } from './demo.js';
import { deploy } from './deploy.js';
import { functionLogs } from './function-logs.js';
import { start } from './start.js';

const usage = `Usage:
  galley start [project folder]    start everything in this process
  galley deploy [project folder]   bring a project folder's migrations and functions to the running server;
                                   with --no-check, functions are not checked for type errors
  galley functions logs [name]     what functions wrote; --help tells how to filter and follow it
  galley demo                      play the story of an uploaded picture; starts a server if none runs
`;

async function main(
  command: string | undefined,
  args: readonly string[],
  { check }: { check: boolean },
): Promise<void> {
  if (command === 'start' && args.length <= 1) return start(args[0]);
  if (command === 'demo' && args.length === 0) return demo(say);
  if (command === 'deploy' && args.length <= 1) {
    const connection = await findServer(configFromEnvironment().dataDir);
    if (!connection) throw new OperatorError('No server is running. Start one first: npm start');
    return deploy(connection, args[0] ?? '.', say, { check });
  }
  throw new OperatorError(`galley: there is no \`${[command, ...args].join(' ')}\`.\n\n${usage}`);
}

const say = (line: string) => void process.stdout.write(`${line}\n`);
const [first, second, ...rest] = process.argv.slice(2);

try {
  if (first === 'functions' && second === 'logs') {
    await functionLogs(rest, say);
    process.exit();
  }
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' }, 'no-check': { type: 'boolean' } },
  });
  const { 'no-check': unchecked = false } = values;
  if (unchecked && positionals[0] !== 'deploy') throw new OperatorError('--no-check is for `galley deploy`.');
  if (values.help || positionals.length === 0) process.stdout.write(usage);
  else await main(positionals[0], positionals.slice(1), { check: !unchecked });
} catch (error) {
  const known =
    error instanceof OperatorError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${known ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
  process.exit(1);
}

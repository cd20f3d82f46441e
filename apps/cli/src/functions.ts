import { OperatorError } from '#libs/platform';
import { table, timeText, type Call, type Command } from './command.js';
import { manage } from './connection.js';
import { deployNamed } from './deploy.js';
import { download } from './download.js';
import { functionLogs } from './function-logs.js';

const folder = { folder: { type: 'string' } } as const;

export const functionCommands: readonly Command[] = [
  {
    name: 'functions deploy',
    parameters: '[name…]',
    summary: 'build and deploy functions of the project folder (--folder <path>), all by default; --no-check',
    options: { ...folder, 'no-check': { type: 'boolean' } },
    talksToServer: true,
    run: async ({ args, options, say, note, connect }) =>
      deployNamed(await connect(), folderOf(options), args, say, { check: !options['no-check'], note }),
  },
  {
    name: 'functions list',
    parameters: '',
    summary: 'list the functions that are in service',
    talksToServer: true,
    run: listFunctions,
  },
  {
    name: 'functions deployments',
    parameters: '<name>',
    summary: "list a function's deployments",
    talksToServer: true,
    run: listDeployments,
  },
  {
    name: 'functions activate',
    parameters: '<name> <number>',
    summary: 'make another deployment answer: the way back, and forward again',
    talksToServer: true,
    run: async ({ args, say, connect }) => {
      const [name, number] = args as [string, string];
      if (!/^[1-9]\d{0,8}$/.test(number))
        throw new OperatorError(`${number} is not the number of a deployment.`);
      await manage(await connect(), `${pathOf(name)}/deployments/${number}/activate`, { method: 'POST' });
      say(`function ${name}: deployment ${number}`);
    },
  },
  {
    name: 'functions deactivate',
    parameters: '<name>',
    summary: 'take a function out of service; its deployments are kept',
    talksToServer: true,
    run: async ({ args, say, connect }) => {
      await manage(await connect(), `${pathOf(args[0]!)}/deactivate`, { method: 'POST' });
      say(`function ${args[0]}: out of service`);
    },
  },
  {
    name: 'functions delete',
    parameters: '<name>',
    summary: 'delete a function with its deployments',
    talksToServer: true,
    run: async ({ args, say, connect }) => {
      await manage(await connect(), pathOf(args[0]!), { method: 'DELETE' });
      say(`function ${args[0]}: deleted`);
    },
  },
  {
    name: 'functions download',
    parameters: '<name>',
    summary: 'write the deployed sources into the project folder; --force replaces files that differ',
    options: { ...folder, force: { type: 'boolean' } },
    talksToServer: true,
    run: async ({ args, options, say, connect }) =>
      download(
        await connect(),
        { slug: args[0]!, root: folderOf(options), force: options['force'] === true },
        say,
      ),
  },
  {
    name: 'functions logs',
    parameters: '[name]',
    summary:
      'print what functions wrote; --follow goes on live; --level, --text, --invocation and --limit choose',
    options: {
      follow: { type: 'boolean', short: 'f' },
      level: { type: 'string' },
      text: { type: 'string' },
      invocation: { type: 'string' },
      limit: { type: 'string' },
    },
    talksToServer: true,
    run: functionLogs,
  },
];

function folderOf(options: Call['options']): string {
  return typeof options['folder'] === 'string' ? options['folder'] : '.';
}

function pathOf(name: string): string {
  return `/functions/${encodeURIComponent(name)}`;
}

interface ListedFunction {
  readonly slug: string;
  readonly version: number;
  readonly verify_jwt: boolean;
  readonly updated_at: number;
}

async function listFunctions({ say, connect }: Call): Promise<void> {
  const functions = await manage<ListedFunction[]>(await connect(), '/functions');
  const rows = functions.map((fn) => [
    fn.slug,
    String(fn.version),
    fn.verify_jwt ? 'yes' : 'no',
    timeText(fn.updated_at),
  ]);
  say(table(['NAME', 'DEPLOYMENT', 'VERIFIES JWT', 'UPDATED (UTC)'], rows));
}

interface ListedDeployment {
  readonly version: number;
  readonly active: boolean;
  readonly created_at: number;
  readonly ezbr_sha256: string;
}

async function listDeployments({ args, say, connect }: Call): Promise<void> {
  const deployments = await manage<ListedDeployment[]>(await connect(), `${pathOf(args[0]!)}/deployments`);
  const rows = deployments.map((deployment) => [
    String(deployment.version),
    deployment.active ? 'active' : '',
    timeText(deployment.created_at),
    deployment.ezbr_sha256.slice(0, 12),
  ]);
  say(table(['DEPLOYMENT', '', 'CREATED (UTC)', 'SHA-256'], rows));
}

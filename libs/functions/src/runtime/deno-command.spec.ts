import { expect, it } from '@jest/globals';
import { denoArguments, denoEnvironment, reservedEnvironmentName } from './deno-command.js';

const memoryBytes = 128 * 1024 * 1024;
const openCell = {
  name: '0',
  uid: null,
  paths: {
    loader: '/run/loader/loader.js',
    authorities: '/run/loader/authorities.pem',
    codeDirectory: '/deployments/a/code',
    socket: '/run/0/s.sock',
    nodeSocket: '/run/0/n.sock',
    denoDirectory: '/deployments/a/deno',
    temporary: null,
  },
  enter: undefined,
  doors: [],
  datagrams: null,
  onStarted: () => {},
  onReady: () => {},
  outside: (path: string) => path,
  bringIn: async () => {},
  remove: async () => {},
};
const api = { host: '127.0.0.1', port: 54321 };

function grants(args: readonly string[]): string[] {
  return args.filter((argument) => argument.startsWith('--allow'));
}

it('grants the code, the sockets, the API, the declared hosts and names, and nothing else', () => {
  const declared = { env: { A: '1', B: '2' }, allowedHosts: ['*.example.com', '[::1]:80'], api };
  expect(grants(denoArguments(openCell, declared, memoryBytes, []))).toEqual([
    '--allow-ffi',
    '--allow-read=/deployments/a/code,/run/0/s.sock,/run/0/n.sock',
    '--allow-write=/run/0/s.sock,/run/0/n.sock',
    '--allow-net=unix:/run/0/s.sock,unix:/run/0/n.sock,127.0.0.1:54321,*.example.com:443,*.example.com:80,[::1]:80',
    '--allow-env=DENO_SERVE_ADDRESS,A,B',
  ]);
});

it('leaves the network and the environment to the walls of a jail', () => {
  const jail = {
    ...openCell,
    enter: ['--net=/proc/1/fd/3'],
    paths: { ...openCell.paths, temporary: '/tmp' },
  };
  expect(grants(denoArguments(jail, null, memoryBytes, []))).toEqual([
    '--allow-ffi',
    '--allow-read=/deployments/a/code,/run/0/s.sock,/run/0/n.sock,/tmp',
    '--allow-write=/run/0/s.sock,/run/0/n.sock,/tmp',
    '--allow-net',
    '--allow-env',
  ]);
});

it.each([
  ['LD_PRELOAD', true],
  ['DENO_DIR', true],
  ['DENO_DEPLOYMENT_ID', false],
  ['https_proxy', true],
  ['NODE_OPTIONS', true],
  ['NODE_ENV', false],
  ['PATH', true],
  ['SUPABASE_URL', false],
  ['PATHS', false],
])('the name %s is reserved: %s', (name, isReserved) => {
  expect(reservedEnvironmentName(name)).toBe(isReserved);
});

it('refuses an environment that is too large', () => {
  expect(() => denoEnvironment(openCell, { A: 'x'.repeat(100_000) })).toThrow(
    'The environment is larger than',
  );
});

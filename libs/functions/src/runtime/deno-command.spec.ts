import { expect, it } from '@jest/globals';
import { denoArguments, denoEnvironment, reservedEnvironmentName } from './deno-command.js';

const paths = {
  loader: '/run/loader.js',
  codeDirectory: '/deployments/a/code',
  codeUrl: 'file:///deployments/a/code/main.js',
  socket: '/run/0/s.sock',
  denoDirectory: '/deployments/a/deno',
};
const limits = { memoryBytes: 128 * 1024 * 1024 };

it('grants the code directory, the socket, the declared hosts and names, and nothing else', () => {
  const declared = {
    env: { A: '1', B: '2' },
    allowedHosts: ['api.test:54321', '*.example.com', '[::1]:80'],
    limits,
  };
  const grants = denoArguments(paths, declared).filter((argument) => argument.startsWith('--allow'));
  expect(grants).toEqual([
    '--allow-net=unix:/run/0/s.sock,api.test:54321,*.example.com,[::1]:80',
    '--allow-read=/deployments/a/code,/run/0/s.sock',
    '--allow-write=/run/0/s.sock',
    '--allow-env=A,B',
  ]);
});

it('grants no environment at all when none is declared', () => {
  const args = denoArguments(paths, { env: {}, allowedHosts: [], limits });
  expect(args.some((argument) => argument.startsWith('--allow-env'))).toBe(false);
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
  expect(() => denoEnvironment(paths, { A: 'x'.repeat(100_000) })).toThrow('The environment is larger than');
});

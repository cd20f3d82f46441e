import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { OperatorError } from '#libs/platform';

const packages: Record<string, string> = {
  'linux-x64': '@deno/linux-x64-glibc',
  'linux-arm64': '@deno/linux-arm64-glibc',
  'darwin-x64': '@deno/darwin-x64',
  'darwin-arm64': '@deno/darwin-arm64',
};

/**
 * The path of the Deno executable. It is taken from the platform package that `deno` depends on, because npm may
 * be set not to run install scripts, and `deno`'s own launcher would cost a Node start.
 * @throws OperatorError when there is none for this system.
 */
export function denoBinary(): string {
  const platform = `${process.platform}-${process.arch}`;
  const name = packages[platform];
  if (!name) throw new OperatorError(`Functions need Deno, which has no build for ${platform}.`);
  try {
    const fromDeno = createRequire(createRequire(import.meta.url).resolve('deno/package.json'));
    const path = join(dirname(fromDeno.resolve(`${name}/package.json`)), 'deno');
    if (existsSync(path)) return path;
  } catch (cause) {
    throw new OperatorError(`Deno is not installed: the package ${name} is missing. Run npm install again.`, {
      cause,
    });
  }
  throw new OperatorError(`The package ${name} has no executable in it. Run npm install again.`);
}

import type { BuildNetwork } from '../../libs/functions/src/bundle/build-hosts.js';
import { bundleFunction, type Bundle } from '../../libs/functions/src/bundle/bundle-function.js';
import type { DenoRuntime } from '../../libs/functions/src/runtime/deno-runtime.js';
import { call, specFor } from './runtime-support.js';

export interface BundleOptions extends BuildNetwork {
  entrypoint?: string;
  importMap?: string;
  check?: boolean;
  namespaces?: boolean;
  log?: (line: string) => void;
}

/** Bundles texts by path; `hello/index.ts` serves, and types are not checked, unless `options` say otherwise. */
export function bundleSources(
  dataDir: string,
  files: Record<string, string>,
  options: BundleOptions = {},
): Promise<Bundle> {
  return bundleFunction({
    files: new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)])),
    ...options,
    entrypoint: options.entrypoint ?? 'hello/index.ts',
    check: options.check ?? false,
    dataDir,
  });
}

/** What a bundle answers when it runs. */
export async function answerOfBundle(runtime: DenoRuntime, bundled: { code: Uint8Array }): Promise<string> {
  const instance = await runtime.start(specFor(Buffer.from(bundled.code).toString()));
  const { text } = await call(instance);
  instance.kill('removed');
  return text;
}

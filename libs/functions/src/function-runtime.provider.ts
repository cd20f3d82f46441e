import { CONFIG, OperatorError, type Config } from '#libs/platform';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DenoRuntime } from './runtime/deno-runtime.js';
import type { FunctionRuntime as RuntimePort } from './runtime/function-runtime.js';

/** What runs functions, by a class: an interface is no injection token. */
export abstract class FunctionRuntime implements RuntimePort {
  abstract isolation: RuntimePort['isolation'];
  abstract egress: RuntimePort['egress'];
  abstract prepare: RuntimePort['prepare'];
  abstract start: RuntimePort['start'];
  abstract close: RuntimePort['close'];
}

export const functionRuntimeProvider = {
  provide: FunctionRuntime,
  inject: [CONFIG],
  useFactory: ({ dataDir, functions }: Config): Promise<RuntimePort> => {
    const { warmProcesses, privateHosts, extraAuthorityFile } = functions;
    const extraAuthorities = extraAuthorityFile && readAuthorities(extraAuthorityFile);
    return DenoRuntime.open({ dataDir, warmProcesses, privateHosts, extraAuthorities });
  },
};

/** @throws OperatorError when there is no certificate in it */
function readAuthorities(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    void new X509Certificate(text);
    return text;
  } catch (cause) {
    throw new OperatorError(
      `GALLEY_EXTRA_CA_FILE names ${path}, which cannot be read as certificates in PEM: ${(cause as Error).message}`,
      { cause },
    );
  }
}

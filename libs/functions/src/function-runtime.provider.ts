import { CONFIG, type Config } from '#libs/platform';
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
    const { warmProcesses, privateHosts } = functions;
    return DenoRuntime.open({ dataDir, warmProcesses, privateHosts });
  },
};

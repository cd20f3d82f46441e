export { FunctionsModule } from './functions.module.js';
export { FunctionsHttpModule } from './functions-http.module.js';
export { DeployFunction, type Deployed, type DeployRequest } from './deploy/deploy-function.js';
export { InvokeFunction, type EventOutcome } from './invoke/invoke-function.js';
export { type InvocationCall } from './invoke/invocation-call.js';
export { parseManifest, type Manifest } from './manifest/manifest.js';
export { FunctionRuntime } from './function-runtime.provider.js';
export { type IsolationReport } from './runtime/function-runtime.js';
export { sweepRunDirectory } from './runtime/run-directory.js';

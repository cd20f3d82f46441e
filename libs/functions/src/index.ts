export { FunctionsModule } from './functions.module.js';
export { FunctionsErrorFilter } from './http/functions-error.filter.js';
export { FunctionsHttpModule } from './functions-http.module.js';
export { Activations } from './deploy/activations.js';
export { DeployFunction } from './deploy/deploy-function.js';
export { InvokeFunction, type EventOutcome } from './invoke/invoke-function.js';
export { parseManifest, type Manifest } from './manifest/manifest.js';
export { FunctionRuntime } from './function-runtime.provider.js';
export { sweepLogs } from './logs/sweep-logs.js';

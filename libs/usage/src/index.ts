export { type BackgroundUsage } from './background-usage.js';
export { gbMs, insertInvocations, type InvocationRecord } from './invocation-record.js';
export { UsageLedger } from './usage-ledger.js';
export { UsageHttpModule, UsageModule } from './usage.module.js';
export { costUsd, lambdaPrices, type PriceList } from './price.js';
export { sweepInvocations } from './sweep-invocations.js';

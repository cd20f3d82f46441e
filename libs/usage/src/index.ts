export { type BackgroundUsage } from './background-usage.js';
export { BudgetExceeded } from './budgets/budget.js';
export { Budgets } from './budgets/budgets.js';
export { ProjectGauges } from './gauges.js';
export { gbMs, insertInvocations, joinHourParts, type InvocationRecord } from './invocation-record.js';
export { costOf, listPrices } from './prices/cost.js';
export { presets } from './prices/presets.js';
export { UsageLedger } from './usage-ledger.js';
export { UsageHttpModule, UsageModule } from './usage.module.js';

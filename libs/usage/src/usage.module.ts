import { Global, Module } from '@nestjs/common';
import { BudgetsController } from './budgets/budgets.controller.js';
import { Budgets } from './budgets/budgets.js';
import { GaugeSampler } from './gauge-sampler.js';
import { ProjectGauges } from './gauges.js';
import { InvocationsController } from './invocations.controller.js';
import { PriceBooks } from './prices/price-books.js';
import { PricesController } from './prices/prices.controller.js';
import { UsageReport } from './report/usage-report.js';
import { UsageController } from './usage.controller.js';
import { UsageLedger } from './usage-ledger.js';

/** Counting is needed by every program; {@link UsageHttpModule} adds what a server answers about it. */
@Global()
@Module({
  providers: [UsageLedger, ProjectGauges, PriceBooks, Budgets],
  exports: [UsageLedger, ProjectGauges, PriceBooks, Budgets],
})
export class UsageModule {}

@Module({
  imports: [UsageModule],
  providers: [UsageReport, GaugeSampler],
  controllers: [UsageController, InvocationsController, PricesController, BudgetsController],
})
export class UsageHttpModule {}

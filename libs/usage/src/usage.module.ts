import { Global, Module } from '@nestjs/common';
import { UsageController } from './usage.controller.js';
import { UsageLedger } from './usage-ledger.js';

/** Counting is needed by every program; {@link UsageHttpModule} adds what a server answers about it. */
@Global()
@Module({ providers: [UsageLedger], exports: [UsageLedger] })
export class UsageModule {}

@Module({ imports: [UsageModule], controllers: [UsageController] })
export class UsageHttpModule {}

import { Module } from '@nestjs/common';
import { AuthModule } from '#libs/auth';
import { DataModule } from '#libs/data';
import { EventsHttpModule } from '#libs/events';
import { FunctionsHttpModule, FunctionsModule, Secrets } from '#libs/functions';
import { StorageModule } from '#libs/storage';
import { UsageHttpModule } from '#libs/usage';
import { WebhooksHttpModule } from '#libs/webhooks';
import { HealthController } from './health.controller.js';
import { HousekeepingModule } from './housekeeping.js';
import { AccessTokensController } from './management/access-tokens.controller.js';
import { ProjectsController } from './management/projects.controller.js';
import { MetricsController } from './metrics.controller.js';
import { MigrationsController } from './project-folder/migrations.controller.js';
import type { Feature } from './server.js';
import { UnsupportedController } from './unsupported.controller.js';

/** `/health` and `/metrics`, which every program answers. */
@Module({ imports: [FunctionsModule], controllers: [HealthController, MetricsController] })
export class HealthModule {}

/** The part of the management API that belongs to no feature. */
@Module({ controllers: [AccessTokensController, ProjectsController, MigrationsController] })
export class ManagementModule {}

@Module({ controllers: [UnsupportedController] })
export class UnsupportedModule {}

/** Everything that answers HTTP, and what is done now and then. */
export const serverFeatures: readonly Feature[] = [
  AuthModule,
  DataModule,
  StorageModule,
  FunctionsHttpModule,
  EventsHttpModule,
  WebhooksHttpModule.with(Secrets),
  UsageHttpModule,
  ManagementModule,
  UnsupportedModule,
  HealthModule,
  HousekeepingModule,
];

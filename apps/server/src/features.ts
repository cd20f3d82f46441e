import { Module } from '@nestjs/common';
import { AuthModule } from '#libs/auth';
import { DataModule } from '#libs/data';
import { EventsHttpModule } from '#libs/events';
import { FunctionsHttpModule, FunctionsModule } from '#libs/functions';
import { StorageModule } from '#libs/storage';
import { UsageHttpModule } from '#libs/usage';
import { HealthController } from './health.controller.js';
import { MigrationsController } from './project-folder/migrations.controller.js';
import type { Feature } from './server.js';
import { UnsupportedController } from './unsupported.controller.js';

/** `/health` and `/metrics`, which every program answers. */
@Module({ imports: [FunctionsModule], controllers: [HealthController] })
export class HealthModule {}

@Module({ controllers: [MigrationsController] })
class MigrationsModule {}

@Module({ controllers: [UnsupportedController] })
export class UnsupportedModule {}

/** Everything that answers HTTP. */
export const serverFeatures: readonly Feature[] = [
  AuthModule,
  DataModule,
  StorageModule,
  FunctionsHttpModule,
  EventsHttpModule,
  UsageHttpModule,
  MigrationsModule,
  UnsupportedModule,
  HealthModule,
];

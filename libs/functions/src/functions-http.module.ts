import { Module } from '@nestjs/common';
import { FunctionsModule } from './functions.module.js';
import { BuildsController } from './http/builds.controller.js';
import { DeployController } from './http/deploy.controller.js';
import { FunctionBodyController } from './http/function-body.controller.js';
import { FunctionsController } from './http/functions.controller.js';
import { ManagementController } from './http/management.controller.js';
import { SecretsController } from './http/secrets.controller.js';
import { FunctionEnvironment } from './invoke/function-environment.js';

/** What a server answers about functions: calls, deployments, secrets, logs. */
@Module({
  imports: [FunctionsModule],
  controllers: [
    FunctionsController,
    ManagementController,
    DeployController,
    BuildsController,
    FunctionBodyController,
    SecretsController,
  ],
  exports: [FunctionsModule],
})
export class FunctionsHttpModule {
  constructor(environment: FunctionEnvironment) {
    environment.isServer = true;
  }
}

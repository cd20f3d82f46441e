import { Module } from '@nestjs/common';
import { EventsModule } from '#libs/events';
import { AcceptCall } from './calls/accept-call.js';
import { CallsController } from './calls/calls.controller.js';
import { FunctionsModule } from './functions.module.js';
import { BuildsController } from './http/builds.controller.js';
import { DeployController } from './http/deploy.controller.js';
import { FunctionBodyController } from './http/function-body.controller.js';
import { FunctionsController } from './http/functions.controller.js';
import { LogsController } from './http/logs.controller.js';
import { ManagementController } from './http/management.controller.js';
import { SecretsController } from './http/secrets.controller.js';
import { TrafficController } from './http/traffic.controller.js';
import { WebSockets } from './http/web-sockets.js';
import { FunctionEnvironment } from './invoke/function-environment.js';
import { LogTails } from './logs/log-tails.js';

/** What a server answers about functions: calls, deployments and their builds, traffic, secrets, logs. */
@Module({
  imports: [EventsModule, FunctionsModule],
  controllers: [
    FunctionsController,
    CallsController,
    LogsController,
    ManagementController,
    DeployController,
    BuildsController,
    FunctionBodyController,
    SecretsController,
    TrafficController,
  ],
  providers: [AcceptCall, LogTails, WebSockets],
  exports: [FunctionsModule],
})
export class FunctionsHttpModule {
  constructor(environment: FunctionEnvironment) {
    environment.isServer = true;
  }
}

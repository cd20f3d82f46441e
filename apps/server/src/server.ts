import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, NestFactory } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  AppError,
  CallerGuard,
  limits,
  Metrics,
  nestLogger,
  OperatorError,
  PlatformModule,
  type Platform,
} from '#libs/platform';
import { UsageLedger, UsageModule } from '#libs/usage';
import type {
  FastifyError,
  FastifyReply,
  FastifyRequest,
  FastifyServerOptions,
  RawServerDefault,
} from 'fastify';
import { admit, openFrontDoor } from './front-door.js';
import { originForm } from './origin-form.js';
import { ServiceErrorFilter } from './service-error.filter.js';
import { acceptUpgrades } from './upgrades.js';

/** What a server is made of beside the platform: the features that answer HTTP. */
export type Feature = Type | DynamicModule;

@Module({})
class ServerModule {}

/** A running front door. */
export interface Server {
  readonly app: NestFastifyApplication;
  /** Stops taking requests, lets those in flight finish, then stops the features. */
  close(): Promise<void>;
}

/**
 * Opens the front door for `features`.
 * @param prepare what must be done before the first request is taken
 * @throws OperatorError when the port is taken or not allowed.
 */
export async function startServer(
  platform: Platform,
  features: readonly Feature[],
  prepare: (app: NestFastifyApplication) => Promise<void> = async () => {},
): Promise<Server> {
  const adapter = newAdapter(platform);
  const root: DynamicModule = {
    module: ServerModule,
    imports: [PlatformModule.for(platform), UsageModule, ...features],
    providers: [
      { provide: APP_GUARD, useClass: CallerGuard },
      { provide: APP_FILTER, useClass: ServiceErrorFilter },
    ],
  };
  const app = await NestFactory.create<NestFastifyApplication>(root, adapter, {
    logger: nestLogger(platform.logger),
    bodyParser: false,
    abortOnError: false,
    routeConflictPolicy: { duplicate: 'error', shadow: 'warn' },
  });
  const ledger = app.get(UsageLedger);
  const { projects, logger } = platform;
  openFrontDoor(
    adapter.getInstance(),
    projects,
    { metrics: app.get(Metrics), logger },
    (projectRef, service, bytes) => ledger.addRequest(projectRef, service, new Date(), bytes),
  );
  acceptUpgrades(app.getHttpServer(), adapter.getInstance());
  try {
    await app.init();
    await prepare(app);
    await listen(app, platform);
  } catch (error) {
    await app.close();
    throw error;
  }
  return { app, close: () => closeWithin(app, platform.config.shutdownGraceMs) };
}

function newAdapter({ config, projects, logger }: Platform): FastifyAdapter {
  const filter = new ServiceErrorFilter(logger);
  return new FastifyAdapter({
    bodyLimit: Number.MAX_SAFE_INTEGER, // Each body reader has a limit of its own.
    // Node.js counts the URL with the headers.
    http: { maxHeaderSize: limits.urlBytes + limits.headerBytes },
    requestTimeout: limits.requestMs,
    forceCloseConnections: 'idle',
    trustProxy: [...config.trustedProxies],
    rewriteUrl: originForm,
    routerOptions: { maxParamLength: limits.urlBytes },
    // A URL that cannot be decoded comes by no hook.
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      admit(request, reply, projects);
      const { statusCode: status = 400, message } = error;
      const refusal = new AppError({ code: 'bad_request', status, message, cause: error });
      filter.catch(refusal, new ExecutionContextHost([request, reply]));
    },
  } as FastifyServerOptions<RawServerDefault>);
}

/** Requests under way may end; past the grace their connections are cut. */
async function closeWithin(app: NestFastifyApplication, graceMs: number): Promise<void> {
  const timer = setTimeout(() => app.getHttpServer().closeAllConnections(), graceMs);
  await app.close();
  clearTimeout(timer);
}

async function listen(app: NestFastifyApplication, platform: Platform): Promise<void> {
  const { port, host } = platform.config;
  try {
    await app.listen(port, host);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'EADDRINUSE' ? `Port ${port} is taken` : `Cannot listen on ${host}:${port} (${message})`;
    throw new OperatorError(
      `${reason}. Stop the other program, or choose another port: PORT=${port + 1} npm start`,
      { cause },
    );
  }
}

import { Global, Module, type DynamicModule } from '@nestjs/common';
import { AccessTokens } from './access-tokens/access-tokens.js';
import { PlatformDatabase } from './platform-database/platform-database.js';
import { Platform } from './platform.js';
import { ShutdownGrace } from './process/shutdown-grace.js';
import { ProjectRegistry } from './project/project-registry.js';
import { Sealer } from './sealing.js';
import { CONFIG, LOGGER } from './injection-tokens.js';
import { Metrics } from './metrics/metrics.js';

/** Makes an open {@link Platform} injectable everywhere. The program that opened it closes it. */
@Global()
@Module({})
export class PlatformModule {
  static for(platform: Platform): DynamicModule {
    const providers = [
      { provide: Platform, useValue: platform },
      { provide: LOGGER, useValue: platform.logger },
      { provide: CONFIG, useValue: platform.config },
      { provide: PlatformDatabase, useValue: platform.database },
      { provide: AccessTokens, useValue: new AccessTokens(platform.database) },
      { provide: ProjectRegistry, useValue: platform.projects },
      { provide: Sealer, useValue: platform.sealer },
      { provide: Metrics, useValue: new Metrics() },
      { provide: ShutdownGrace, useValue: new ShutdownGrace(platform.config.shutdownGraceMs) },
    ];
    return { module: PlatformModule, providers, exports: providers };
  }
}

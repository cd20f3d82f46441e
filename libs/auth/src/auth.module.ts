import { Module, type DynamicModule } from '@nestjs/common';
import { AuthGauges } from './auth-gauges.js';
import { DiscoveryController } from './discovery.controller.js';
import { AuthLimits } from './limits.js';
import { PasswordHasher } from './passwords/password-hasher.js';
import { SessionsController } from './sessions.controller.js';
import { SessionResponses } from './sessions/session-response.js';
import { SignIn } from './sign-in.js';
import { SignUp } from './sign-up.js';
import { UnsupportedController } from './unsupported.controller.js';
import { UpdateUser } from './update-user.js';
import { UserController } from './user.controller.js';

const controllers = [SessionsController, UserController, DiscoveryController, UnsupportedController];
const flows = [AuthGauges, PasswordHasher, SessionResponses, SignIn, SignUp, UpdateUser];

/** Accounts and sessions: the routes of GoTrue under `/auth/v1`. */
@Module({ controllers, providers: [...flows, { provide: AuthLimits, useValue: new AuthLimits() }] })
export class AuthModule {
  /** The same with other limits than the default ones. */
  static withLimits(overrides: Partial<AuthLimits>): DynamicModule {
    return {
      module: LimitedAuthModule,
      controllers,
      providers: [...flows, { provide: AuthLimits, useValue: new AuthLimits(overrides) }],
    };
  }
}

/** A module class of its own, since Nest merges a dynamic module with the decorator of its class. */
@Module({})
class LimitedAuthModule {}

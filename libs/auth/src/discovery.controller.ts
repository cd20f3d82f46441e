import { Controller, Get, Header, Inject, UseFilters, UseGuards } from '@nestjs/common';
import { CONFIG, CurrentProject, KeyRequiredGuard, type Config, type Project } from '#libs/platform';
import { AuthErrorFilter } from './auth-error.filter.js';

/** The social providers that clients look for in the settings. */
const externalProviders = [
  'anonymous_users',
  'apple',
  'azure',
  'bitbucket',
  'discord',
  'facebook',
  'figma',
  'fly',
  'github',
  'gitlab',
  'google',
  'kakao',
  'keycloak',
  'linkedin',
  'linkedin_oidc',
  'notion',
  'phone',
  'slack',
  'slack_oidc',
  'snapchat',
  'spotify',
  'twitch',
  'twitter',
  'workos',
  'zoom',
];

/** What clients may ask to learn how to sign in here. */
@Controller('auth/v1')
@UseFilters(AuthErrorFilter)
export class DiscoveryController {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  @Get('health')
  health(): object {
    return {
      name: 'Galley',
      description: 'Galley answers the GoTrue API for user registration and authentication',
    };
  }

  @Get('settings')
  @UseGuards(KeyRequiredGuard)
  settings(): object {
    return {
      external: { ...Object.fromEntries(externalProviders.map((name) => [name, false])), email: true },
      disable_signup: this.config.auth.disableSignup,
      mailer_autoconfirm: true,
      phone_autoconfirm: false,
      sms_provider: '',
      saml_enabled: false,
      saml_private_key_next_configured: false,
      passkeys_enabled: false,
    };
  }

  /** What people's tokens are verified with. Keys are of the project's secret, which has no public half. */
  @Get('.well-known/jwks.json')
  @Header('Cache-Control', 'public, max-age=600')
  jwks(@CurrentProject() project: Project): object {
    return project.tokens.jwks;
  }
}

import { AppError } from '#libs/platform';

const noMail = 'This server sends no mail, so it cannot send links or one-time codes';
const noOAuthServer = 'This server does not act as an OAuth server';
const noSaml = 'Single sign-on is disabled';
const noPasskeys = 'Passkeys are disabled';
const noFactors = 'Multi-factor authentication is disabled';
const noProvider = 'Unsupported provider: provider is not enabled';
const noAdmin = 'The auth admin API is not available on this server';

/** GoTrue's routes that are not answered here: path (`*` is one or more segments), status, code, message. */
const routes: readonly (readonly [path: string, status: number, code: string, message: string])[] = [
  ['authorize', 400, 'provider_disabled', noProvider],
  ['callback', 400, 'provider_disabled', noProvider],
  ['otp', 422, 'otp_disabled', noMail],
  ['magiclink', 422, 'otp_disabled', noMail],
  ['verify', 422, 'otp_disabled', noMail],
  ['recover', 422, 'feature_disabled', noMail],
  ['resend', 422, 'feature_disabled', noMail],
  ['reauthenticate', 422, 'feature_disabled', noMail],
  ['invite', 422, 'feature_disabled', noMail],
  ['user/identities/*', 404, 'manual_linking_disabled', 'Manual linking is disabled'],
  ['user/oauth/grants', 404, 'feature_disabled', noOAuthServer],
  ['factors', 422, 'mfa_totp_enroll_not_enabled', noFactors],
  ['factors/*', 422, 'mfa_totp_verify_not_enabled', noFactors],
  ['passkeys', 404, 'passkey_disabled', noPasskeys],
  ['passkeys/*', 404, 'passkey_disabled', noPasskeys],
  ['sso', 404, 'saml_provider_disabled', noSaml],
  ['sso/*', 404, 'saml_provider_disabled', noSaml],
  ['admin/*', 404, 'feature_disabled', noAdmin],
  ['oauth/clients/register', 404, 'oauth_dynamic_client_registration_disabled', noOAuthServer],
  ['oauth/*', 404, 'feature_disabled', noOAuthServer],
  ['scim/*', 404, 'feature_disabled', 'SCIM is disabled'],
  ['.well-known/openid-configuration', 404, 'feature_disabled', noOAuthServer],
  ['.well-known/oauth-authorization-server', 404, 'feature_disabled', noOAuthServer],
];

const answered = ['signup', 'token', 'logout', 'user', 'health', 'settings', '.well-known/jwks.json'];

/** Says why there is no answer at `path` (below `/auth/v1/`, without query). */
export function refusalOfRoute(method: string, path: string): AppError {
  const route = routes.find(([pattern]) => matches(pattern, path));
  if (route) {
    const [, status, code, message] = route;
    return new AppError({ status, code, message });
  }
  if (answered.includes(path)) {
    return new AppError({ status: 405, code: 'method_not_allowed', message: `${path} has no ${method}` });
  }
  return new AppError({ status: 404, code: 'not_found', message: `There is no /auth/v1/${path}` });
}

function matches(pattern: string, path: string): boolean {
  return pattern.endsWith('/*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}

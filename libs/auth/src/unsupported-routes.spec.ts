import { describe, expect, it } from '@jest/globals';
import { refusalOfRoute } from './unsupported-routes.js';

describe('a route that is not offered', () => {
  it.each([
    ['POST', 'otp', 422, 'otp_disabled'],
    ['GET', 'verify', 422, 'otp_disabled'],
    ['GET', 'callback', 400, 'provider_disabled'],
    ['POST', 'factors/0/challenge', 422, 'mfa_totp_verify_not_enabled'],
    ['GET', 'admin/users/0/factors', 404, 'feature_disabled'],
    ['POST', 'oauth/clients/register', 404, 'oauth_dynamic_client_registration_disabled'],
    ['POST', 'oauth/token', 404, 'feature_disabled'],
    ['DELETE', 'token', 405, 'method_not_allowed'],
    ['GET', 'admin', 404, 'not_found'],
    ['GET', '', 404, 'not_found'],
  ])('%s %s is refused with %i %s', (method, path, status, code) => {
    expect(refusalOfRoute(method, path)).toMatchObject({ status, code });
  });
});

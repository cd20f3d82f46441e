import { describe, expect, it } from '@jest/globals';
import { OperatorError } from '#libs/platform';
import { environmentSettings } from './rest-configuration.js';
import { defaultSettings } from './rest-settings.js';

const read = (given: Record<string, string>) => environmentSettings(given).settings;

describe('settings of the environment', () => {
  it('have a default each', () => {
    expect(read({})).toEqual(defaultSettings);
  });

  it('are read by their kinds', () => {
    expect(
      read({
        db_schemas: 'api, v2,api',
        db_extra_search_path: 'tools',
        db_pre_request: 'hooks.check',
        db_root_spec: 'root',
        db_max_rows: '50',
        db_aggregates_enabled: 'true',
        db_tx_end: 'rollback-allow-override',
        server_trace_header: 'X-Request-Id',
      }),
    ).toMatchObject({
      schemas: ['api', 'v2'],
      extraSearchPath: ['tools'],
      preRequest: { schema: 'hooks', name: 'check' },
      rootSpec: { schema: undefined, name: 'root' },
      maxRows: 50,
      aggregatesEnabled: true,
      txEnd: 'rollback-allow-override',
      serverTraceHeader: 'x-request-id',
    });
  });

  it('hand on what is meant for functions of the database', () => {
    expect(read({ app_settings_greeting: 'hello' }).appSettings).toEqual({
      'app.settings.greeting': 'hello',
    });
  });

  it('name what means nothing here', () => {
    expect(environmentSettings({ db_pool: '10', db_max_rows: '1' }).unused).toEqual(['db_pool']);
  });

  it.each([
    ['db_schemas', ' , '],
    ['db_schemas', 'public,pg_catalog'],
    ['db_max_rows', 'many'],
    ['db_max_rows', '-1'],
    ['db_plan_enabled', 'perhaps'],
    ['db_tx_end', 'later'],
    ['openapi_mode', 'open'],
    ['openapi_server_proxy_uri', 'example.com'],
    ['jwt_aud', 'a:b c'],
    ['jwt_role_claim_key', 'role'],
    ['server_trace_header', 'bad header'],
    ['server_trace_header', 'Content-Length'],
    ['server_trace_header', 'set-cookie'],
  ])('refuse %s=%j by name', (name, value) => {
    const parse = () => environmentSettings({ [name]: value });
    expect(parse).toThrow(OperatorError);
    expect(parse).toThrow(`PGRST_${name.toUpperCase()}: expected`);
  });
});

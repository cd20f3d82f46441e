import { validateHeaderName } from 'node:http';
import { z } from 'zod';
import { expected, problemsInOneLine } from '#libs/platform';
import { isFramingHeader } from '../response/framing-headers.js';
import { defaultSettings, type FunctionName, type RestSettings } from './rest-settings.js';
import { parseRoleClaimPath } from './role-claim-path.js';

/** Settings that are given by name; the others follow from the database or the environment as a whole. */
type NamedSetting = Exclude<
  keyof RestSettings,
  'appSettings' | 'roles' | 'maxReturnedRows' | 'guardsOfAll' | 'guardsOfRoles'
>;

const flag = z.stringbool({
  truthy: ['true', '1', 'yes', 'on'],
  falsy: ['false', '0', 'no', 'off'],
  error: 'expected true or false',
});
const name = z.string();
const list = z.string().transform(splitList);
const functionName = z.string().transform((text): FunctionName => {
  const dot = text.indexOf('.');
  return dot === -1
    ? { schema: undefined, name: text }
    : { schema: text.slice(0, dot), name: text.slice(dot + 1) };
});
const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, 'expected a whole number')
  .transform(Number);
const notExposable = ['pg_catalog', 'information_schema'];
const audience = name.refine((text) => !text.includes(':') || /^[a-z][\w+.-]*:\S*$/i.test(text), {
  error: 'expected text without a colon, or a URI',
});
const headerName = z
  .string()
  .transform((header) => header.toLowerCase())
  .refine((header) => isHeaderName(header), { error: 'expected the name of a header' })
  .refine((header) => header !== 'set-cookie' && !isFramingHeader(header), {
    error: "expected a header that is not the server's own",
  });
const claimPath = z.string().transform((text, context) => {
  try {
    return parseRoleClaimPath(text);
  } catch (error) {
    context.addIssue(`expected a path such as $.role: ${(error as Error).message}`);
    return z.NEVER;
  }
});

type Definitions = {
  readonly [Key in NamedSetting]: readonly [name: string, schema: z.ZodType<RestSettings[Key], string>];
};

/** Each setting with its name, as it follows `pgrst.` in the database and, in capitals, `PGRST_` in the environment. */
const definitions: Definitions = {
  dbConfig: ['db_config', flag],
  preConfig: ['db_pre_config', functionName],
  schemas: [
    'db_schemas',
    list
      .refine((schemas) => schemas.length > 0, { error: 'expected at least one schema' })
      .refine((schemas) => !schemas.some((schema) => notExposable.includes(schema)), {
        error: `expected other schemas than ${notExposable.join(' and ')}`,
      }),
  ],
  extraSearchPath: ['db_extra_search_path', list],
  anonRole: ['db_anon_role', name],
  preRequest: ['db_pre_request', functionName],
  maxRows: ['db_max_rows', wholeNumber],
  maxEmbedDepth: ['galley_max_embed_depth', wholeNumber],
  maxPlanCost: ['galley_max_plan_cost', wholeNumber],
  aggregatesEnabled: ['db_aggregates_enabled', flag],
  planEnabled: ['db_plan_enabled', flag],
  txEnd: ['db_tx_end', z.enum(['commit', 'commit-allow-override', 'rollback', 'rollback-allow-override'])],
  hoistedTxSettings: ['db_hoisted_tx_settings', list],
  rootSpec: ['db_root_spec', functionName],
  openapiMode: ['openapi_mode', z.enum(['follow-privileges', 'ignore-privileges', 'disabled'])],
  openapiSecurityActive: ['openapi_security_active', flag],
  openapiServerProxyUri: [
    'openapi_server_proxy_uri',
    name.refine((text) => /^https?:\/\/[^/]/.test(text) && URL.canParse(text), {
      error: 'expected a URI such as https://example.com:8443/basePath',
    }),
  ],
  explainPoliciesRoles: ['galley_explain_policies_roles', list],
  clientErrorVerbosity: ['client_error_verbosity', z.enum(['verbose', 'minimal'])],
  serverTimingEnabled: ['server_timing_enabled', flag],
  serverTraceHeader: ['server_trace_header', headerName],
  jwtAud: ['jwt_aud', audience],
  jwtRoleClaimKey: ['jwt_role_claim_key', claimPath],
};

const keyByName = new Map(
  (Object.keys(definitions) as NamedSetting[]).map((key) => [definitions[key][0], key]),
);

/** These say how the database is asked, so it is not asked for them. */
const environmentOnly: readonly string[] = ['db_config', 'db_pre_config'];

/** Names of the settings that the database may give. */
export const databaseSettingNames: readonly string[] = [...keyByName.keys()].filter(
  (settingName) => !environmentOnly.includes(settingName),
);

function isHeaderName(text: string): boolean {
  try {
    validateHeaderName(text);
    return true;
  } catch {
    return false;
  }
}

function splitList(text: string): string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  return [...new Set(entries.filter((entry) => entry !== ''))];
}

/** What one setting says. */
export type Reading =
  { readonly value: Partial<RestSettings> } | { readonly key: NamedSetting; readonly problem: string };

/**
 * Reads the setting `settingName` from its text. Empty text means the default, of the search path that there is none.
 * @returns undefined when there is no such setting
 */
export function readSetting(settingName: string, text: string): Reading | undefined {
  const key = keyByName.get(settingName);
  if (key === undefined) return undefined;
  if (text === '' && key !== 'extraSearchPath') return { value: { [key]: defaultSettings[key] } };
  const parsed = definitions[key][1].safeParse(text, { error: expected });
  return parsed.success
    ? { value: { [key]: parsed.data } }
    : { key, problem: problemsInOneLine(parsed.error) };
}

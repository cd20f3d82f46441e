import { quoteIdent, quoteQualified, type CallerTransaction } from '#libs/platform';
import type { Plan } from '../plan/plan.js';
import type { ApiRequest } from '../request/api-request.js';
import type { HttpRequest } from '../request/http-request.js';
import type { RestSettings } from '../settings/rest-settings.js';
import type { Execution } from './execute.js';

/**
 * How the transaction of a request begins and what it knows (postgrest.org, "Transactions"). Of the same setting a
 * role's is stronger than the connection's, and a function's stronger than both.
 */
export function transactionOf(
  { caller, requestId, http, settings, abandonment }: Execution,
  { schema, preferences }: Pick<ApiRequest, 'schema'> & Partial<Pick<ApiRequest, 'preferences'>>,
  plan?: Plan,
): CallerTransaction {
  const role = settings.roles.get(caller.role);
  const ofFunction = plan?.kind === 'call' ? hoistedSettings(plan.function.settings, settings) : {};
  const { [isolationSetting]: functionIsolation, ...functionSettings } = ofFunction;
  return {
    requestId,
    abandonment,
    isolation: isolationOf(functionIsolation ?? role?.isolation),
    beforeRole: { search_path: searchPath(schema, settings), ...role?.settings },
    settings: {
      ...requestSettings(http),
      ...(preferences?.timezone !== undefined && { timezone: preferences.timezone }),
      ...functionSettings,
      ...settings.appSettings,
    },
    first: preRequestCall(settings),
    undo: (preferences?.tx ?? settings.txEnd).startsWith('rollback'),
  };
}

const isolationSetting = 'default_transaction_isolation';

/** PostgreSQL has no other level that differs from its own. */
function isolationOf(level: string | undefined): CallerTransaction['isolation'] {
  const name = level?.toLowerCase();
  return name === 'repeatable read' || name === 'serializable' ? name : undefined;
}

function hoistedSettings(
  ofFunction: Readonly<Record<string, string>>,
  { hoistedTxSettings }: RestSettings,
): Record<string, string> {
  return Object.fromEntries(Object.entries(ofFunction).filter(([name]) => hoistedTxSettings.includes(name)));
}

function searchPath(schema: string, { extraSearchPath }: RestSettings): string {
  return [schema, ...extraSearchPath].map(quoteIdent).join(', ');
}

/** What policies and functions may read with `current_setting('request.headers')` and its like. */
function requestSettings({ method, path, headers }: HttpRequest): Record<string, string> {
  const { cookie } = headers;
  return {
    'request.method': method,
    'request.path': `/${path}`,
    'request.headers': JSON.stringify(cookie === undefined ? headers : { ...headers, cookie: undefined }),
    'request.cookies': cookie === undefined ? '{}' : JSON.stringify(cookiesOf(cookie)),
  };
}

/** RFC 6265 §5.4: `name=value` pairs; of a repeated name the first counts. */
function cookiesOf(header: string): Record<string, string> {
  const pairs = header.split(';').map((pair): [string, string] => {
    const [name, ...value] = pair.split('=');
    return [name!.trim(), value.join('=').trim()];
  });
  return Object.fromEntries(pairs.filter(([name]) => name !== '').toReversed());
}

function preRequestCall({ preRequest }: RestSettings): string | undefined {
  if (!preRequest) return undefined;
  const { schema, name } = preRequest;
  return `select ${schema === undefined ? quoteIdent(name) : quoteQualified(schema, name)}()`;
}

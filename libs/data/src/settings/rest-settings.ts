import type { QualifiedName } from '../schema-cache/schema-cache.js';
import { defaultRoleClaimPath, type RoleClaimPath } from './role-claim-path.js';

/**
 * What an operator decides about the data API, by the parameters that PostgREST has for it (postgrest.org,
 * "Configuration"). One immutable value; a request uses the one that it began with.
 */
export interface RestSettings extends CostGuards {
  /** Whether the database may say otherwise, by `pgrst.…` settings of the role `authenticator`. */
  readonly dbConfig: boolean;
  /** Sets such settings when it is called; those of the role stand above them. */
  readonly preConfig: FunctionName | undefined;
  /** Schemas whose tables and functions are shown, at least one; the first is meant when a request names none. */
  readonly schemas: readonly string[];
  /** Follow the request's schema on the search path; nothing of them is shown. */
  readonly extraSearchPath: readonly string[];
  /** Role of requests that carry neither key nor token; undefined refuses them. */
  readonly anonRole: string | undefined;
  /** Called in each transaction before the request's own statement. */
  readonly preRequest: FunctionName | undefined;
  /** Whether `select=amount.sum()` and its like are allowed. */
  readonly aggregatesEnabled: boolean;
  /** Whether `application/vnd.pgrst.plan` is answered. */
  readonly planEnabled: boolean;
  /** How transactions end, and whether `Prefer: tx=` may choose otherwise. */
  readonly txEnd: TxEnd;
  /** Settings of a function that hold for the whole transaction in which it is called. */
  readonly hoistedTxSettings: readonly string[];
  /** Answers the root instead of the OpenAPI description. */
  readonly rootSpec: FunctionName | undefined;
  readonly openapiMode: OpenapiMode;
  /** Whether the OpenAPI description says that a key is needed. */
  readonly openapiSecurityActive: boolean;
  /** Where clients reach the data API, as the OpenAPI description says it; undefined: at the project's own URL. */
  readonly openapiServerProxyUri: string | undefined;
  /** Roles that may ask with `Prefer: explain=policies`, beside the secret key's. */
  readonly explainPoliciesRoles: readonly string[];
  /** `minimal` errors have no details and no hint. */
  readonly clientErrorVerbosity: 'verbose' | 'minimal';
  readonly serverTimingEnabled: boolean;
  /** Lower-case name of a header that is answered as it came. */
  readonly serverTraceHeader: string | undefined;
  /** Tokens that name an audience must name this one. */
  readonly jwtAud: string | undefined;
  readonly jwtRoleClaimKey: RoleClaimPath;
  /** `app.settings.…`, readable in SQL with `current_setting`. */
  readonly appSettings: Readonly<Record<string, string>>;
  /** What `alter role … set` says of roles that callers take. */
  readonly roles: ReadonlyMap<string, RoleSettings>;
  readonly guardsOfAll: CostGuards;
  /** Of roles that have a bound of their own, in place of those of all. */
  readonly guardsOfRoles: ReadonlyMap<string, CostGuards>;
}

/** Bounds on what one statement may cost; undefined: none but our own limits. */
export interface CostGuards {
  /** Rows of a table, view or function that one response holds at most. */
  readonly maxRows: number | undefined;
  /** Rows that a change may give back; they cannot be cut like those that are read. */
  readonly maxReturnedRows: number | undefined;
  /** How deep tables may be embedded; the table of the request is level 0. */
  readonly maxEmbedDepth: number | undefined;
  /** What PostgreSQL may expect a statement to cost, in its planner's units. */
  readonly maxPlanCost: number | undefined;
}

export type TxEnd = 'commit' | 'commit-allow-override' | 'rollback' | 'rollback-allow-override';
type OpenapiMode = 'follow-privileges' | 'ignore-privileges' | 'disabled';

/** A function as settings name it; without a schema the search path finds it. */
export type FunctionName = Pick<QualifiedName, 'name'> & { readonly schema: string | undefined };

/** Settings of a role. PostgreSQL applies them at login alone, and callers' roles never log in. */
export interface RoleSettings {
  /** `default_transaction_isolation`, which only BEGIN can apply. */
  readonly isolation: string | undefined;
  readonly settings: Readonly<Record<string, string>>;
}

const noGuards: CostGuards = {
  // Not Supabase's 1000, which cuts answers off without a word: `limits.rows` protects the server.
  maxRows: undefined,
  maxReturnedRows: undefined,
  maxEmbedDepth: undefined,
  maxPlanCost: undefined,
};

/** PostgREST's defaults, and Supabase's where applications that come from there rely on them. */
export const defaultSettings: RestSettings = {
  dbConfig: true,
  preConfig: undefined,
  // Supabase shows its queues by this schema; a database without queues has it empty.
  schemas: ['public', 'pgmq_public'],
  // Supabase installs extensions into `extensions`.
  extraSearchPath: ['public', 'extensions'],
  anonRole: undefined,
  preRequest: undefined,
  ...noGuards,
  aggregatesEnabled: false,
  planEnabled: false,
  txEnd: 'commit',
  hoistedTxSettings: [
    'statement_timeout',
    'plan_filter.statement_cost_limit',
    'default_transaction_isolation',
  ],
  rootSpec: undefined,
  openapiMode: 'follow-privileges',
  openapiSecurityActive: false,
  openapiServerProxyUri: undefined,
  explainPoliciesRoles: [],
  clientErrorVerbosity: 'verbose',
  serverTimingEnabled: false,
  serverTraceHeader: undefined,
  jwtAud: undefined,
  jwtRoleClaimKey: defaultRoleClaimPath,
  appSettings: {},
  roles: new Map(),
  guardsOfAll: noGuards,
  guardsOfRoles: new Map(),
};

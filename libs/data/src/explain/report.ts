import type { Outcome } from './attempt.js';
import { exemptionOf } from './exemption.js';
import type { Policy, Protection } from './protections.sql.js';
import type { Tried } from './tried.js';
import type { Trial, Trials } from './try-policies.js';

/** The JSON that `Prefer: explain=policies` is answered with. */
export interface PolicyReport {
  readonly role: string;
  /** `sub` of the token. */
  readonly user_id: string | null;
  /** What the request itself would be answered. */
  readonly outcome: Outcome;
  /** What it comes to, in sentences. */
  readonly findings: readonly string[];
  readonly accesses: readonly object[];
}

/** @param trials  what came of trying the policies; undefined where the asking role may not know of rows */
export function accessReport(protection: Protection, trials: Map<Protection, Trials> | undefined): object {
  const { schema, name, command, role, through, policies } = protection;
  const tried = trials?.get(protection);
  const [applying, others] = [true, false].map((applies) =>
    (policies ?? []).filter((policy) => policy.applies === applies),
  );
  return {
    schema,
    table: name,
    kind: protection.kind,
    command,
    role,
    ...(through !== null && { through_view: through }),
    row_level_security: rowLevelSecurity(protection),
    exempt: protection.isEnabled ? exemptionOf(protection) : null,
    missing_grants: missingGrants(protection),
    ...(tried?.existing && { rows: trialReport(tried.existing) }),
    ...(tried?.changed && { new_rows: trialReport(tried.changed) }),
    policies: applying!.map((policy) => policyReport(policy, tried)),
    // Those of other roles are nothing that a role needs to know.
    ...(trials && { other_policies: others!.map(policyName) }),
  };
}

function policyName({ name, command, roles }: Policy) {
  return { name, command, roles };
}

function rowLevelSecurity({ isEnabled, isForced }: Protection): 'disabled' | 'enabled' | 'forced' {
  if (!isEnabled) return 'disabled';
  return isForced ? 'forced' : 'enabled';
}

/** As GRANT names them. */
export function missingGrants(protection: Protection): string[] {
  const { schema, name, command, lacksSchema, lacksAll, lacksColumns } = protection;
  const columns = lacksAll ? '' : ` (${(lacksColumns ?? []).join(', ')})`;
  const lacks = lacksAll || (lacksColumns ?? []).length > 0;
  return [
    ...(lacksSchema ? [`USAGE on schema ${schema}`] : []),
    ...(lacks ? [`${command}${columns} on ${schema}.${name}`] : []),
  ];
}

function policyReport(
  { name, command, permissive, roles, using, check }: Policy,
  trials: Trials | undefined,
) {
  return {
    name,
    command,
    permissive,
    roles,
    using,
    check,
    ...countReport('rows', trials?.existing, name),
    ...countReport('new_rows', trials?.changed, name),
  };
}

function countReport(key: string, trial: Tried<Trial> | undefined, policy: string): object {
  if (!trial || 'error' in trial) return {};
  const count = trial.value.byPolicy.get(policy);
  if (!count) return {};
  return 'error' in count ? { [`${key}_error`]: messageOf(count.error) } : { [key]: count.value };
}

function trialReport(trial: Tried<Trial>): object {
  if ('error' in trial) return { error: messageOf(trial.error) };
  const { considered, isPartial, allowed } = trial.value;
  return {
    considered,
    is_partial: isPartial,
    ...('error' in allowed ? { error: messageOf(allowed.error) } : { allowed: allowed.value }),
  };
}

export function messageOf(error: unknown): string {
  return (error as Error).message;
}

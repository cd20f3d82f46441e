import { refusedRow, type Outcome } from './attempt.js';
import { exemptionOf } from './exemption.js';
import type { Protection } from './protections.sql.js';
import { messageOf, missingGrants } from './report.js';
import type { Tried } from './tried.js';
import type { Trial, Trials } from './try-policies.js';

/** What the report comes to, in sentences. */
export function findingsOf(
  outcome: Outcome,
  protections: readonly Protection[],
  trials: Map<Protection, Trials> | undefined,
): string[] {
  const findings = protections.flatMap((protection) => [
    ...missingGrants(protection).map((grant) => `The role ${protection.role} lacks ${grant}.`),
    securityFinding(protection),
    ...existingFindings(protection, trials?.get(protection)?.existing),
    ...changedFindings(protection, trials?.get(protection)?.changed),
  ]);
  return [...refusalFindings(outcome), ...new Set(findings)];
}

function refusalFindings(outcome: Outcome): string[] {
  if (outcome.succeeds) return [];
  if (outcome.error.code === '42P17') {
    return [
      'A policy asks the table that it protects, so it would have to be asked itself without end: let it ask by a ' +
        'function that is SECURITY DEFINER, whose owner is not subject to the policies.',
    ];
  }
  const refused = refusedRow(outcome);
  if (!refused) return [];
  const { table, policy, isExisting } = refused;
  const row = isExisting ? `A row of ${table} that was there already` : `A new row of ${table}`;
  return policy === null
    ? [`${row} was refused because no permissive policy allows it.`]
    : [`${row} was refused by the restrictive policy "${policy}".`];
}

function securityFinding(protection: Protection): string {
  const { role, command, kind, isEnabled, policies } = protection;
  const table = nameOf(protection);
  const by =
    protection.through === null ? '' : `, which ${protection.through} reads with the rights of ${role}`;
  if (kind === 'view') return `${table} is a view${by}: the policies of the tables beneath it count.`;
  if (kind === 'materialized view')
    return `${table} is a materialized view${by}: it has rows of its own, for which only grants count.`;
  if (!isEnabled) return `Row-level security is off on ${table}${by}: only grants count.`;
  switch (exemptionOf(protection)) {
    case 'bypassrls':
      return `The role ${role} bypasses row-level security on ${table}${by}.`;
    case 'owner':
      return `The role ${role} owns ${table}${by}, where row-level security is not forced: only grants count.`;
    case null: {
      const permissive = (policies ?? []).filter((policy) => policy.applies && policy.permissive);
      if (permissive.length === 0)
        return `No permissive policy of ${table} is for ${command} by ${role}: no row passes.`;
      const names = permissive.map(({ name }) => `"${name}"`).join(', ');
      return `For ${command} on ${table} by ${role} a row has to pass one of: ${names}.`;
    }
  }
}

function existingFindings(protection: Protection, trial: Tried<Trial> | undefined): string[] {
  if (!trial) return [];
  const of = nameOf(protection);
  if ('error' in trial) return [`The rows of ${of} could not be looked at: ${messageOf(trial.error)}.`];
  const { considered, isPartial, allowed } = trial.value;
  if (considered === 0) return [`No row of ${of} matches, whatever the policies say.`];
  if ('error' in allowed) return [policyFailure(of, allowed.error)];
  return [
    `Of ${isPartial ? 'the first ' : ''}${considered} rows of ${of} the policies for ${protection.command} let ` +
      `${allowed.value} through${hiding(protection, trial.value)}.`,
  ];
}

function changedFindings(protection: Protection, trial: Tried<Trial> | undefined): string[] {
  if (!trial) return [];
  const of = nameOf(protection);
  if ('error' in trial) return [`The new rows of ${of} could not be looked at: ${messageOf(trial.error)}.`];
  const { considered, isPartial, allowed } = trial.value;
  if ('error' in allowed) return [policyFailure(of, allowed.error)];
  if (allowed.value === considered) return [];
  const hint =
    protection.command === 'SELECT'
      ? ' What is not visible cannot be answered: Prefer: return=minimal asks for no rows.'
      : '';
  return [
    `Of ${isPartial ? 'the first ' : ''}${considered} new rows of ${of} the policies for ${protection.command} let ` +
      `${allowed.value} through${hiding(protection, trial.value)}.${hint}`,
  ];
}

/** What each policy does by itself, where they hide anything together. */
function hiding({ policies }: Protection, { considered, allowed, byPolicy }: Trial): string {
  if ('error' in allowed || allowed.value === considered) return '';
  const parts = (policies ?? []).flatMap(({ name, permissive }) => {
    const count = byPolicy.get(name);
    if (!count || 'error' in count) return [];
    return [`${permissive ? '' : 'restrictive '}"${name}" ${count.value}`];
  });
  return parts.length === 0 ? '' : `; by themselves ${parts.join(', ')}`;
}

function policyFailure(of: string, error: unknown): string {
  return `The policies of ${of} fail: ${messageOf(error)}.`;
}

function nameOf({ schema, name }: Protection): string {
  return `${schema}.${name}`;
}

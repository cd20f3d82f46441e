import { quoteIdent, quoteQualified, type Sql } from '#libs/platform';
import type { Grant, Permissions, Policy } from './desired-permissions.js';
import { presentPermissions, type PresentGrant, type PresentPolicy } from './present-permissions.js';

/**
 * Makes `role`, if there is none, and gives it `desired`. Repeating it changes nothing.
 * @param withdraw also take away what is not desired
 */
export async function syncPermissions(
  tx: Sql,
  role: string,
  desired: Permissions,
  withdraw: boolean,
): Promise<void> {
  await makeRole(tx, role);
  const present = await presentPermissions(tx, role);
  for (const statement of changes(role, desired, present, withdraw)) await tx.query(statement);
}

/** The statements that lead from `present` to `desired`. */
export function changes(
  role: string,
  desired: Permissions,
  present: { grants: readonly PresentGrant[]; policies: readonly PresentPolicy[] },
  withdraw: boolean,
): string[] {
  const heldGrants = new Set(present.grants.map(grantKey));
  const heldPolicies = new Set(present.policies.map(policyKey));
  const wantedGrants = new Set(desired.grants.map(grantKey));
  const wantedPolicies = new Set(desired.policies.map(policyKey));
  const added = [
    ...desired.grants
      .filter((grant) => !heldGrants.has(grantKey(grant)))
      .map((grant) => grantSql(grant, role)),
    ...desired.policies
      .filter((policy) => !heldPolicies.has(policyKey(policy)))
      .map((policy) => policySql(policy, role)),
  ];
  if (!withdraw) return added;
  return [
    ...present.policies.filter((policy) => !wantedPolicies.has(policyKey(policy))).map(dropPolicySql),
    ...present.grants
      .filter((grant) => !wantedGrants.has(grantKey(grant)))
      .map((grant) => revokeSql(grant, role)),
    ...added,
  ];
}

/** Drops the role with everything that was granted to it in this database. */
export async function dropRole(tx: Sql, role: string): Promise<void> {
  const { rowCount } = await tx.query('select 1 from pg_roles where rolname = $1', [role]);
  if (rowCount === 0) return;
  await tx.query(`drop owned by ${quoteIdent(role)}`);
  await tx.query(`drop role ${quoteIdent(role)}`);
}

async function makeRole(tx: Sql, role: string): Promise<void> {
  const { rowCount } = await tx.query('select 1 from pg_roles where rolname = $1', [role]);
  if (rowCount > 0) return;
  await tx.query(`create role ${quoteIdent(role)} nologin noinherit`);
  await tx.query(`grant ${quoteIdent(role)} to authenticator`);
}

function grantKey(grant: PresentGrant): string {
  return `${grant.on} ${grant.privilege} ${grant.name}`;
}

function policyKey(policy: PresentPolicy): string {
  return `${policy.table} ${policy.name}`;
}

function grantSql(grant: Grant, role: string): string {
  return `grant ${grant.privilege} on ${grant.on} ${target(grant)} to ${quoteIdent(role)}`;
}

function revokeSql(grant: PresentGrant, role: string): string {
  return `revoke ${grant.privilege} on ${grant.on} ${target(grant)} from ${quoteIdent(role)}`;
}

function policySql(policy: Policy, role: string): string {
  const using = policy.using === null ? '' : ` using (${policy.using})`;
  const check = policy.check === null ? '' : ` with check (${policy.check})`;
  const on = `${quoteIdent(policy.name)} on ${quoted(policy.table)}`;
  return `create policy ${on} for ${policy.command} to ${quoteIdent(role)}${using}${check}`;
}

function dropPolicySql(policy: PresentPolicy): string {
  return `drop policy ${quoteIdent(policy.name)} on ${quoted(policy.table)}`;
}

function target(grant: PresentGrant): string {
  if (grant.on === 'schema') return quoteIdent(grant.name);
  if (grant.on !== 'function') return quoted(grant.name);
  // The argument types come from the catalogue, quoted as PostgreSQL writes them.
  const open = grant.name.indexOf('(');
  return quoted(grant.name.slice(0, open)) + grant.name.slice(open);
}

/** `schema.name`, neither of which holds a dot: the manifest admits none. */
function quoted(name: string): string {
  const dot = name.indexOf('.');
  return quoteQualified(name.slice(0, dot), name.slice(dot + 1));
}

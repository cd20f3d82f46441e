import { quoteIdent, quoteQualified } from '#libs/platform';
import type { MutatePlan, ReadPlan } from '../plan/plan.js';
import { nameKey, type QualifiedName } from '../schema-cache/schema-cache.js';
import { isSubject } from './exemption.js';
import type { Policy, Protection } from './protections.sql.js';
import { existingRows, newRows, type RowsBeneath } from './rows-beneath.js';
import type { Tried, Try } from './tried.js';

/** How many of the rows beneath row-level security each policy alone lets through, and all of them together. */
export interface Trial {
  readonly considered: number;
  readonly isPartial: boolean;
  readonly allowed: Tried<number>;
  readonly byPolicy: ReadonlyMap<string, Tried<number>>;
}

export interface Trials {
  /** On the rows there are, by what must be true of a row to be seen or changed. */
  readonly existing: Tried<Trial> | undefined;
  /** On the rows as the request would leave them, by what must be true of those. */
  readonly changed: Tried<Trial> | undefined;
}

interface Actors {
  /** Whose rights are explained: the transaction's role. */
  readonly role: string;
  /** Sees everything. */
  readonly serviceRole: string;
}

/** Tries the policies of `protections`, one after the other, where they hold the caller back. */
export async function tryPolicies(
  tryOut: Try,
  plan: ReadPlan | MutatePlan,
  protections: readonly Protection[],
  { role, serviceRole }: Actors,
): Promise<Map<Protection, Trials>> {
  const { table, where, isInsert } = targetOf(plan);
  const changed = plan.kind === 'mutate' && plan.change.kind !== 'delete' ? plan : undefined;
  const trials = new Map<Protection, Trials>();
  let changedRows: Tried<RowsBeneath> | undefined;
  for (const protection of protections) {
    if (!isSubject(protection) || protection.role !== role) continue;
    const isTarget = protection.through === null && isSame(protection, table);
    const existing =
      protection.command !== 'INSERT' && !(isTarget && isInsert)
        ? await existingRows(
            tryOut,
            serviceRole,
            protection,
            isTarget ? { alias: plan.rows.alias, where } : { alias: protection.name, where: [] },
          )
        : undefined;
    const isMerged = isInsert && protection.command === 'UPDATE';
    const left =
      isTarget && changed && !isMerged
        ? (changedRows ??= await newRows(tryOut, serviceRole, changed))
        : undefined;
    trials.set(protection, {
      existing: existing && (await tryOn(tryOut, protection, existing, (policy) => policy.using)),
      changed: left && (await tryOn(tryOut, protection, left, checkOf(protection))),
    });
  }
  return trials;
}

function targetOf(plan: ReadPlan | MutatePlan) {
  if (plan.kind === 'read') return { table: plan.rows.from!, where: plan.rows.where, isInsert: false };
  const { table, change } = plan;
  if (change.kind === 'insert' || change.kind === 'upsert') return { table, where: [], isInsert: true };
  return { table, where: change.where, isInsert: false };
}

function isSame(a: QualifiedName, b: QualifiedName): boolean {
  return nameKey(a.schema, a.name) === nameKey(b.schema, b.name);
}

/** A new row must pass the check, which is USING where there is none; to be answered it must be visible as well. */
function checkOf({ command }: Protection): (policy: Policy) => string | null {
  return ({ using, check }) => (command === 'SELECT' ? using : (check ?? using));
}

async function tryOn(
  tryOut: Try,
  protection: Protection,
  rows: Tried<RowsBeneath>,
  expressionOf: (policy: Policy) => string | null,
): Promise<Tried<Trial>> {
  if ('error' in rows) return rows;
  const { text, considered, isPartial } = rows.value;
  const byPolicy = new Map<string, Tried<number>>();
  const sides: Record<'permissive' | 'restrictive', string[]> = { permissive: [], restrictive: [] };
  for (const policy of protection.policies ?? []) {
    // A policy without an expression decides nothing.
    const expression = policy.applies ? expressionOf(policy) : null;
    if (expression === null) continue;
    sides[policy.permissive ? 'permissive' : 'restrictive'].push(`(${expression})`);
    byPolicy.set(policy.name, await countPassing(tryOut, protection, text, expression));
  }
  const anyPermissive = sides.permissive.length === 0 ? 'false' : `(${sides.permissive.join(' or ')})`;
  const all = [...sides.restrictive, anyPermissive].join(' and ');
  return {
    value: { considered, isPartial, allowed: await countPassing(tryOut, protection, text, all), byPolicy },
  };
}

/** @param expression  what PostgreSQL has written, of columns of a table that is called by its name */
function countPassing(
  tryOut: Try,
  { schema, name }: QualifiedName,
  text: string,
  expression: string,
): Promise<Tried<number>> {
  const rows = `unnest($1::${quoteQualified(schema, name)}[]) as ${quoteIdent(name)}`;
  return tryOut(async (tx) => {
    const counted = await tx.query<{ count: number }>(
      `select count(*)::int as count from ${rows} where ${expression}`,
      [text],
    );
    return counted.rows[0]!.count;
  });
}

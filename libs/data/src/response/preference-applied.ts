import type { Plan } from '../plan/plan.js';
import type { ApiRequest } from '../request/api-request.js';

/** Value of `Preference-Applied` (RFC 7240 §3): the preferences that this plan heeds. */
export function preferenceApplied({ preferences, onConflict }: ApiRequest, plan: Plan): string | undefined {
  const { resolution, missing, representation, count, tx, handling, timezone, maxAffected } = preferences;
  const change = plan.kind === 'mutate' ? plan.change.kind : undefined;
  const mayConflict =
    change === 'insert' && plan.kind === 'mutate' && (onConflict ?? plan.table.primaryKey).length > 0;
  const affected = plan.kind === 'call' || change === 'update' || change === 'delete';
  const applied = [
    resolution && mayConflict && `resolution=${resolution}`,
    missing && (change === 'insert' || change === 'update') && `missing=${missing}`,
    representation && change && `return=${representation}`,
    count && `count=${count}`,
    tx && `tx=${tx}`,
    handling && `handling=${handling}`,
    timezone !== undefined && `timezone=${timezone}`,
    maxAffected !== undefined && affected && handling === 'strict' && `max-affected=${maxAffected}`,
  ].filter((part) => typeof part === 'string');
  return applied.length === 0 ? undefined : applied.join(', ');
}

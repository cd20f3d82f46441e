import type { Plan } from '../plan/plan.js';
import type { Preferences } from '../request/prefer.js';

/** Value of `Preference-Applied` (RFC 7240 §3): the preferences that this plan heeds. */
export function preferenceApplied(plan: Plan, preferences: Preferences): string | undefined {
  const { representation, count, missing, handling, maxAffected } = preferences;
  const change = plan.kind === 'mutate' ? plan.change : undefined;
  const resolution = change?.kind === 'insert' ? change.onConflict?.resolution : undefined;
  const affected = plan.kind === 'call' || change?.kind === 'update' || change?.kind === 'delete';
  const applied = [
    resolution && `resolution=${resolution}`,
    missing && change && change.kind !== 'delete' && `missing=${missing}`,
    representation && change && `return=${representation}`,
    count && `count=${count}`,
    handling && `handling=${handling}`,
    maxAffected !== undefined && affected && `max-affected=${maxAffected}`,
  ].filter((part) => typeof part === 'string');
  return applied.length === 0 ? undefined : applied.join(', ');
}

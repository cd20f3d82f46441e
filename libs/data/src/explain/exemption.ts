import type { Protection } from './protections.sql.js';

/** Why a role is not subject to the policies of a table. */
export type Exemption = 'bypassrls' | 'owner';

/** Whether policies decide about the rows (PostgreSQL manual, "Row Security Policies"). */
export function isSubject(protection: Protection): boolean {
  return protection.isEnabled && exemptionOf(protection) === null;
}

/** An owner is subject where row-level security is forced. */
export function exemptionOf({ bypasses, owns, isForced }: Protection): Exemption | null {
  if (bypasses) return 'bypassrls';
  return owns && !isForced ? 'owner' : null;
}

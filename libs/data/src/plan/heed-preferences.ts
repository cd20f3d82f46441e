import { pgrstError } from '../errors.js';
import type { ApiRequest } from '../request/api-request.js';

/** @throws AppError PGRST122 for preferences that nobody knows, with `handling=strict` */
export function refuseUnknownPreferences({ preferences }: Pick<ApiRequest, 'preferences'>): void {
  if (preferences.handling !== 'strict' || preferences.unknown.length === 0) return;
  throw pgrstError('PGRST122', {
    message: 'Invalid preferences given with handling=strict',
    details: `Invalid preferences: ${preferences.unknown.join(', ')}`,
  });
}

/** `max-affected` counts only together with `handling=strict` (postgrest.org, "Max Affected"). */
export function maxAffected({ preferences }: ApiRequest): number | undefined {
  return preferences.handling === 'strict' ? preferences.maxAffected : undefined;
}

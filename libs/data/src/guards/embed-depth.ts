import { pgrstError } from '../errors.js';
import type { ApiRequest } from '../request/api-request.js';
import type { SelectItem } from '../request/select.js';
import type { CostGuards } from '../settings/rest-settings.js';

/** @throws AppError PGRST100 when tables are embedded deeper than the caller's role may */
export function refuseDeepEmbeds({ select }: ApiRequest, { maxEmbedDepth }: CostGuards): void {
  if (maxEmbedDepth === undefined) return;
  const depth = depthOf(select);
  if (depth <= maxEmbedDepth) return;
  throw pgrstError('PGRST100', {
    message: `The request embeds tables ${depth} deep, and your role may embed them ${maxEmbedDepth} deep`,
    details: 'Spread tables and computed relationships count as embedded ones.',
    hint: 'Ask for the deeper tables in a request of their own, or have galley.max_embed_depth raised for the role.',
  });
}

function depthOf(items: readonly SelectItem[]): number {
  return Math.max(0, ...items.map((item) => (item.kind === 'embed' ? 1 + depthOf(item.items) : 0)));
}

import { limits, type Sql } from '#libs/platform';
import type { CommittedEvent } from '../catalogue.js';
import type { Refusal } from './refusal.js';

/** What a delivery comes from. */
type Cause = Pick<CommittedEvent, 'depth' | 'rootId'>;

/**
 * Refuses what is over the budget of its chain: everything that one request led to, through functions and the events
 * that they caused, may be `limits.chainDeliveries` within `limits.chainMs`. The depth of a chain does not bound its
 * breadth: a function that answers each event with two makes 65,536 of one before it is too deep.
 *
 * @param causes of the deliveries that are to be made, in their order
 * @returns refusals by their place in `causes`
 */
export async function refuseOverBudget(
  platform: Sql,
  projectRef: string,
  causes: readonly Cause[],
): Promise<Map<number, Refusal>> {
  const roots = new Set(causes.filter(({ depth }) => depth > 0).map(({ rootId }) => rootId));
  if (roots.size === 0) return new Map();
  const spent = await spentByRoot(platform, projectRef, [...roots]);
  const refused = overBudget(
    causes.map(({ depth, rootId }) => (depth > 0 ? rootId : null)),
    spent,
    limits.chainDeliveries,
  );
  const reasons = new Map<string, Refusal>();
  for (const place of refused) {
    const { rootId } = causes[place]!;
    if (reasons.has(rootId)) continue;
    const reason = await reasonOf(platform, projectRef, rootId);
    reasons.set(rootId, { reason, keepsEvent: true });
  }
  return new Map(refused.map((place) => [place, reasons.get(causes[place]!.rootId)!]));
}

/** Why one more delivery is over the budget of its chain; null when it is not. */
export async function chainRefusal(
  platform: Sql,
  projectRef: string,
  { depth, rootId }: Cause,
): Promise<string | null> {
  if (depth === 0) return null;
  const spent = (await spentByRoot(platform, projectRef, [rootId])).get(rootId) ?? 0;
  return spent < limits.chainDeliveries ? null : reasonOf(platform, projectRef, rootId);
}

async function reasonOf(platform: Sql, projectRef: string, rootId: string): Promise<string> {
  return (
    `What request ${rootId} began has led to ${limits.chainDeliveries} deliveries within ` +
    `${limits.chainMs / 60_000} minutes, the limit: ${await loopOf(platform, projectRef, rootId)}. ` +
    `Filter the subscription so that functions do not react to what they cause.`
  );
}

/**
 * Which deliveries are over the budget of their chain, in their order.
 * @param roots of the deliveries; null of those that no function caused
 * @param spent by each chain so far
 */
export function overBudget(
  roots: readonly (string | null)[],
  spent: ReadonlyMap<string, number>,
  budget: number,
): number[] {
  const now = new Map(spent);
  return roots.flatMap((root, place) => {
    if (root === null) return [];
    const before = now.get(root) ?? 0;
    now.set(root, before + 1);
    return before >= budget ? [place] : [];
  });
}

/** Counted no further than the budget goes: what is refused is recorded, too. */
async function spentByRoot(
  platform: Sql,
  projectRef: string,
  roots: readonly string[],
): Promise<Map<string, number>> {
  const { rows } = await platform.query<{ root: string; spent: number }>(
    `select root, (
       select count(*) from (
         select from deliveries
         where project_ref = $1 and root_id = root and depth > 0
           and created_at > now() - make_interval(secs => $3::float8 / 1000)
         limit $4) as counted)::integer as spent
     from unnest($2::text[]) as roots (root)`,
    [projectRef, roots, limits.chainMs, limits.chainDeliveries],
  );
  return new Map(rows.map(({ root, spent }) => [root, spent]));
}

const shownSteps = 8;

/** How a chain went, for whoever has to find the loop in it: `row.inserted → copy → row.inserted → copy → …`. */
export async function loopOf(platform: Sql, projectRef: string, rootId: string): Promise<string> {
  const { rows } = await platform.query<{ steps: string }>(
    `select string_agg(distinct event_name || ' → ' || function_slug, ' and ') as steps from deliveries
     where project_ref = $1 and root_id = $2 group by depth order by depth limit ${shownSteps + 1}`,
    [projectRef, rootId],
  );
  const steps = rows.slice(0, shownSteps).map((row) => row.steps);
  return [...steps, ...(rows.length > shownSteps ? ['…'] : [])].join(' → ');
}

/** Whether delivery `d` rests, because its function's events or its subscription are paused. */
export const isPaused = `(
  exists (select from functions f
          where f.project_ref = d.project_ref and f.slug = d.function_slug and f.events_paused_at is not null)
  or exists (select from subscriptions s where s.id = d.subscription_id and s.paused_at is not null))`;

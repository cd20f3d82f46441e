-- How old the oldest event of a function is that nobody has begun: the workers scale by it.
create index deliveries_waiting_idx on deliveries (project_ref, function_slug, created_at)
  where state = 'queued' and attempts = 0;
-- Which functions have work: asked every second.
create index deliveries_work_idx on deliveries (project_ref, function_slug) where state in ('queued', 'running');

-- The job that carries this delivery together with others; null: it has one of its own, named after it.
alter table deliveries add column parcel_id uuid;

-- Only the invocations under way are looked up by it.
drop index deliveries_invocation_id_idx;
create index deliveries_running_invocation_idx on deliveries (invocation_id) where state = 'running';

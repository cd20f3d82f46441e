-- The job that carries this delivery together with others; null: it has one of its own, named after it.
alter table deliveries add column parcel_id uuid;

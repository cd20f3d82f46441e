-- Events: settings of subscriptions, order, batches, pauses, replays, loops across functions.

alter table subscriptions
  -- How its deliveries are made: attempts, retry, ordering_key, batch. A change of these leaves the subscription the same.
  add column settings jsonb not null default '{}',
  -- Since when its deliveries rest.
  add column paused_at timestamptz(3);

alter table functions add column events_paused_at timestamptz(3);

alter table deliveries
  drop constraint deliveries_state_check,
  add constraint deliveries_state_check check (state in ('queued', 'running', 'succeeded', 'dead', 'cancelled')),
  -- The order in which deliveries were recorded.
  add column sequence bigserial not null,
  -- Of one subscription, deliveries with the same key are made one after another.
  add column ordering_key text,
  -- Made together with others of its subscription.
  add column batched boolean not null default false,
  -- The delivery whose job runs the batch that this one is in.
  add column batch_leader_id uuid,
  -- Tries that failed.
  add column failures integer not null default 0,
  -- Not to be tried again before this.
  add column retry_at timestamptz(3),
  -- The deployment that a replay is for; null: whichever answers.
  add column deployment_number integer,
  -- The request that everything began with.
  add column root_id text not null default '';

create index deliveries_ordered_open_idx on deliveries (subscription_id, ordering_key, sequence)
  where ordering_key is not null and state in ('queued', 'running');
create index deliveries_batched_queued_idx on deliveries (subscription_id, sequence) where batched and state = 'queued';
create index deliveries_batch_leader_id_idx on deliveries (batch_leader_id) where batch_leader_id is not null;
create index deliveries_root_id_idx on deliveries (project_ref, root_id, created_at) where depth > 0;

-- The deliveries that one invocation was for, when those were several.
create table batch_items (
  invocation_id uuid not null,
  delivery_id uuid not null references deliveries on delete cascade,
  succeeded boolean not null,
  primary key (invocation_id, delivery_id)
);
create index batch_items_delivery_id_idx on batch_items (delivery_id);
create unique index batch_items_succeeded_once on batch_items (delivery_id) where succeeded;

-- When the last invocations for events of a function with a rate began, oldest first.
create table event_rates (
  project_ref text not null references projects on delete cascade,
  function_slug text not null,
  begun_ms double precision[] not null,
  primary key (project_ref, function_slug)
);

-- What the sweep asks for.
create index deliveries_ended_idx on deliveries (project_ref, finished_at) where finished_at is not null;

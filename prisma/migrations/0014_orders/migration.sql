-- Whether one of an order has begun is asked before another of it begins.
create index deliveries_ordered_running_idx on deliveries (subscription_id, ordering_key)
  where ordering_key is not null and state = 'running';

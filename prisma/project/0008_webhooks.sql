-- Database webhooks as migrations of Supabase make them: triggers that call supabase_functions.http_request(). Where that
-- asks pg_net, which forgets what fails and what a crash meets, the request is an event here, committed with its change.

-- The HTTP request that is to be made; null: subscriptions decide who is told of the event.
alter table galley.outbox add column request jsonb;

create schema supabase_functions;
grant usage on schema supabase_functions to anon, authenticated, service_role;

-- Arguments, all text: url, method (GET or POST), headers, params (of the query), timeout_ms. It runs as its owner, so
-- that whoever changes a row needs no rights on the outbox.
create function supabase_functions.http_request() returns trigger language plpgsql security definer
  set search_path = pg_catalog, galley as $$
declare
  -- `limits.eventPayloadBytes` of libs/platform.
  max_payload_bytes constant integer := 512 * 1024;
  url text := nullif(tg_argv[0], 'null');
  method text := nullif(tg_argv[1], 'null');
  -- Supabase's defaults.
  headers jsonb := coalesce(nullif(tg_argv[2], 'null'), '{"Content-Type": "application/json"}');
  params jsonb := coalesce(nullif(tg_argv[3], 'null'), '{}');
  timeout_ms integer := coalesce(nullif(tg_argv[4], 'null'), '1000');
  payload jsonb := jsonb_build_object('type', tg_op, 'table', tg_table_name, 'schema', tg_table_schema);
begin
  if url is null then
    raise invalid_parameter_value using message = 'url argument is missing';
  end if;
  if method is null then
    raise invalid_parameter_value using message = 'method argument is missing';
  end if;
  if method not in ('GET', 'POST') then
    raise invalid_parameter_value using message = format('method argument %s is invalid', method);
  end if;
  if jsonb_typeof(headers) <> 'object' or jsonb_typeof(params) <> 'object' then
    raise invalid_parameter_value using message = 'headers and params must be JSON objects';
  end if;
  if method = 'POST' then
    payload := payload || jsonb_build_object(
      'record', case when tg_op in ('INSERT', 'UPDATE') then to_jsonb(new) end,
      'old_record', case when tg_op in ('UPDATE', 'DELETE') then to_jsonb(old) end
    );
    if octet_length(payload::text) > max_payload_bytes then
      payload := galley.without_long_values(payload);
    end if;
  end if;
  perform galley.count_event();
  insert into galley.outbox (id, name, payload, request, request_id, depth, root_id)
  values (
    gen_random_uuid(),
    'http.request',
    payload,
    jsonb_build_object('url', url, 'method', method, 'headers', headers, 'params', params, 'timeout_ms', timeout_ms),
    coalesce(current_setting('galley.request_id', true), ''),
    coalesce(nullif(current_setting('galley.depth', true), '')::integer, 0),
    coalesce(nullif(current_setting('galley.root', true), ''), current_setting('galley.request_id', true), '')
  );
  -- Of a trigger before the change, null would undo that.
  return case when tg_op = 'DELETE' then old else new end;
end
$$;
revoke execute on function supabase_functions.http_request from public;

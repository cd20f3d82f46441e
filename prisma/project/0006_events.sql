-- Events of accounts, what row changes are told with, and which of them a condition admits.

-- The request that everything began with, through however many functions.
alter table galley.outbox add column root_id text not null default '';

-- Counts an event of a request, which may cause only so many: each is work for others. What the owner does by SQL is no
-- request: a migration may change as many rows as it likes.
create function galley.count_event() returns void language plpgsql set search_path = pg_catalog as $$
declare
  -- `limits.requestEvents` of libs/platform.
  max_request_events constant integer := 10000;
  counted integer;
begin
  if coalesce(current_setting('galley.request_id', true), '') = '' then
    return;
  end if;
  counted := coalesce(nullif(current_setting('galley.appended_events', true), '')::integer, 0) + 1;
  if counted > max_request_events then
    raise sqlstate 'PT413' using
      message = format('One request may cause %s events at most', max_request_events),
      hint = 'Change fewer rows at once; or let the subscription''s function read the rows from one event of its own.';
  end if;
  perform set_config('galley.appended_events', counted::text, true);
end
$$;

-- Appends an event of the database's own. A change must not fail because somebody listens, so one that is too large
-- goes without its long values.
create function galley.append_event(name text, payload jsonb) returns void language plpgsql security definer
  set search_path = pg_catalog, galley as $$
declare
  -- `limits.eventPayloadBytes` of libs/platform.
  max_payload_bytes constant integer := 512 * 1024;
  request_id text := coalesce(current_setting('galley.request_id', true), '');
begin
  perform galley.count_event();
  if octet_length(payload::text) > max_payload_bytes then
    payload := galley.without_long_values(payload);
  end if;
  insert into galley.outbox (id, name, payload, request_id, depth, root_id)
  values (
    gen_random_uuid(),
    name,
    payload,
    request_id,
    coalesce(nullif(current_setting('galley.depth', true), '')::integer, 0),
    coalesce(nullif(current_setting('galley.root', true), ''), request_id)
  );
end
$$;

create or replace function galley.append_row_change() returns trigger language plpgsql security definer
  set search_path = pg_catalog, galley as $$
begin
  perform galley.append_event(
    case tg_op when 'INSERT' then 'row.inserted' when 'UPDATE' then 'row.updated' else 'row.deleted' end,
    jsonb_build_object(
      'schema', tg_table_schema,
      'table', tg_table_name,
      'record', case when tg_op = 'DELETE' then null else to_jsonb(new) end,
      'old_record', case when tg_op = 'INSERT' then null else to_jsonb(old) end
    )
  );
  return null;
end
$$;

-- An account as events tell it: without what proves it and what only Supabase's own server reads.
create function galley.user_record(account auth.users) returns jsonb language sql immutable
  set search_path = pg_catalog as $$
  select to_jsonb(account) - array[
    'instance_id', 'is_super_admin', 'encrypted_password', 'confirmation_token', 'recovery_token',
    'email_change_token_new', 'email_change_token_current', 'phone_change_token', 'reauthentication_token'
  ]
$$;

-- By whatever statement: the API's, the owner's, a foreign key's. An account that is marked as deleted is.
create function galley.append_user_deletion() returns trigger language plpgsql security definer
  set search_path = pg_catalog, galley as $$
begin
  if old.deleted_at is null then
    perform galley.append_event('user.deleted', jsonb_build_object('record', galley.user_record(old)));
  end if;
  return null;
end
$$;

-- At the end of the transaction, which may have changed the account in several steps: `old` is what it was before the
-- first of them.
create function galley.append_user_change() returns trigger language plpgsql security definer
  set search_path = pg_catalog, galley as $$
declare
  current auth.users;
  before jsonb := galley.user_record(old);
  after jsonb;
begin
  select * into current from auth.users where id = old.id;
  if not found or old.deleted_at is not null then return null; end if;
  after := galley.user_record(current);
  if current.deleted_at is not null then
    perform galley.append_event('user.deleted', jsonb_build_object('record', before));
  elsif before - array['last_sign_in_at', 'updated_at'] <> after - array['last_sign_in_at', 'updated_at']
    -- Of a new password the record says nothing but that there was a change.
    or old.encrypted_password is distinct from current.encrypted_password
  then
    perform galley.append_event('user.updated', jsonb_build_object('record', after, 'old_record', before));
  end if;
  return null;
end
$$;
-- Once for each transaction, and never in the one that made the account.
create constraint trigger galley_user_updated after update on auth.users
  deferrable initially deferred
  for each row when (old.xmin::text <> pg_current_xact_id()::xid::text)
  execute function galley.append_user_change();
create trigger galley_user_deleted after delete on auth.users
  for each row execute function galley.append_user_deletion();

-- Somebody proved who they are, by whichever grant. A refreshed session is no new one.
create function galley.append_sign_in() returns trigger language plpgsql security definer
  set search_path = pg_catalog, galley as $$
begin
  perform galley.append_event('user.signed_in', jsonb_build_object('record', galley.user_record(account)))
  from auth.users account where account.id = new.user_id;
  return null;
end
$$;
create trigger galley_signed_in after insert on auth.sessions
  for each row execute function galley.append_sign_in();

-- Whether a column's value satisfies one operator of a subscription's `when`; null, as in SQL, where that is not known.
-- A number is compared as a number, anything else as its text. libs/events parses what a subscription says into this.
create function galley.satisfies(value jsonb, operator text, operands text[]) returns boolean
  language plpgsql immutable set search_path = pg_catalog as $$
declare
  operand text := operands[1];
  written text := value #>> '{}';
  comparison integer;
begin
  if operator = 'is' then
    return case operand
      when 'null' then written is null
      when 'not_null' then written is not null
      else coalesce(written = operand, false)
    end;
  end if;
  if written is null then return null; end if;
  if operator = 'like' then return written like operand; end if;
  if operator = 'ilike' then return written ilike operand; end if;
  if jsonb_typeof(value) = 'number' then
    if operator = 'in' then return written::numeric = any (operands::numeric[]); end if;
    comparison := case
      when written::numeric < operand::numeric then -1 when written::numeric > operand::numeric then 1 else 0 end;
  else
    if operator = 'in' then return written = any (operands); end if;
    comparison := case
      when written < operand collate "C" then -1 when written > operand collate "C" then 1 else 0 end;
  end if;
  return case operator
    when 'eq' then comparison = 0 when 'neq' then comparison <> 0
    when 'gt' then comparison > 0 when 'gte' then comparison >= 0
    when 'lt' then comparison < 0 when 'lte' then comparison <= 0
  end;
exception when invalid_text_representation or invalid_escape_sequence or numeric_value_out_of_range then
  -- A column that was of numbers has become one of text, or the other way round.
  return null;
end
$$;

-- Whether a row change is one that a subscription asks for: one of `columns` changed, and all `conditions`,
-- `[{column, operator, negated, operands}]`, hold of the new row, or of a deleted one. What the event had to leave out is
-- not known, and then it is told: rather once too often than never.
create function galley.admits(payload jsonb, columns text[], conditions jsonb) returns boolean
  language sql immutable set search_path = pg_catalog, galley as $$
  select (cardinality(columns) = 0 or exists (
      select from unnest(columns) as c (name)
      where coalesce(payload -> 'left_out', '[]') ? c.name
        or payload -> 'record' -> c.name is distinct from payload -> 'old_record' -> c.name
    ))
    and not exists (
      select from jsonb_to_recordset(conditions) as c ("column" text, operator text, negated boolean, operands text[])
      where not coalesce(payload -> 'left_out', '[]') ? c."column"
        and (galley.satisfies(
          coalesce(nullif(payload -> 'record', 'null'), payload -> 'old_record') -> c."column", c.operator, c.operands
        ) <> c.negated) is not true
    )
$$;

revoke execute on all functions in schema galley from public;
grant execute on function galley.bounded to public;

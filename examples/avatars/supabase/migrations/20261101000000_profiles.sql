-- One row for each person: what the app shows of them.
create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  username text check (char_length(username) <= 50),
  -- Name of the object in the bucket `avatars` that the picture was made from.
  avatar_path text,
  -- Public URL of the picture by its size in pixels: {"64": "https://…", "256": "https://…", "512": "https://…"}.
  avatar_urls jsonb not null default '{}',
  -- When the picture was uploaded; only a picture at least as new may replace it.
  avatar_updated_at timestamptz not null default '-infinity',
  created_at timestamptz not null default now()
);

alter table public.profiles enable row level security;

create policy "Everyone reads profiles" on public.profiles
  for select using (true);

create policy "Owners create their profile" on public.profiles
  for insert to authenticated with check (id = (select auth.uid()));

create policy "Owners change their profile" on public.profiles
  for update to authenticated using (id = (select auth.uid())) with check (id = (select auth.uid()));

-- Runs as its owner, because the role that signs people up may not write to `public`;
-- so its search path is pinned and nobody may call it directly.
create function public.create_profile() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.profiles (id, username) values (new.id, left(new.raw_user_meta_data ->> 'username', 50));
  return new;
end;
$$;

revoke execute on function public.create_profile() from public, anon, authenticated, service_role;

create trigger create_profile
  after insert on auth.users
  for each row execute function public.create_profile();

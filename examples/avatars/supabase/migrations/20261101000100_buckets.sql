-- The pictures as people upload them: private, images only, 20 MiB at most.
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('avatars', 'avatars', false, 20 * 1024 * 1024, array['image/jpeg', 'image/png', 'image/webp', 'image/avif']);

-- What the function makes of them: public.
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('thumbnails', 'thumbnails', true, 1024 * 1024, array['image/webp', 'image/jpeg', 'image/png', 'image/avif']);

-- A person's pictures live in the folder named by their id: avatars/<user id>/….
create policy "Owners read their pictures" on storage.objects
  for select to authenticated
  using (bucket_id = 'avatars' and (storage.foldername(name))[1] = (select auth.uid())::text);

create policy "Owners upload their pictures" on storage.objects
  for insert to authenticated
  with check (bucket_id = 'avatars' and (storage.foldername(name))[1] = (select auth.uid())::text);

create policy "Owners replace their pictures" on storage.objects
  for update to authenticated
  using (bucket_id = 'avatars' and (storage.foldername(name))[1] = (select auth.uid())::text)
  with check (bucket_id = 'avatars' and (storage.foldername(name))[1] = (select auth.uid())::text);

create policy "Owners remove their pictures" on storage.objects
  for delete to authenticated
  using (bucket_id = 'avatars' and (storage.foldername(name))[1] = (select auth.uid())::text);

-- Nobody has a policy to write thumbnails: only the function may, by the permissions in galley.toml.
create policy "Everyone reads thumbnails" on storage.objects
  for select to anon, authenticated
  using (bucket_id = 'thumbnails');

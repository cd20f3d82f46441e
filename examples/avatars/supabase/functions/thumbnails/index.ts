// A new picture in the bucket `avatars` becomes three square thumbnails and their URLs in its owner's profile.
import { createClient, type SupabaseClient } from 'npm:@supabase/supabase-js@2.109.0';

const sizesPx = [64, 256, 512];

/** The row of `storage.objects`, as far as it is used here. */
interface Picture {
  name: string;
  owner_id: string | null;
  version: string;
  updated_at: string;
}

// An event may be delivered more than once and out of order, so every step can be repeated: the thumbnails' names
// are made of the picture's version, and the profile never goes back to an older picture.
// What is thrown here is answered with status 500 and logged, and the event is delivered again later.
Deno.serve(async (request) => {
  const { record: picture } = (await request.json()) as { record: Picture };
  const owner = picture.owner_id;
  if (!owner) return Response.json({ skipped: 'The picture belongs to nobody.' });

  const galley = asInvocation(request);
  const urls = await Promise.all(sizesPx.map((sizePx) => makeThumbnail(galley, owner, picture, sizePx)));

  const { data: changed } = await galley
    .from('profiles')
    .update({
      avatar_path: picture.name,
      avatar_urls: Object.fromEntries(sizesPx.map((sizePx, i) => [sizePx, urls[i]])),
      avatar_updated_at: picture.updated_at,
    })
    .eq('id', owner)
    .lte('avatar_updated_at', picture.updated_at)
    .select('id')
    .throwOnError();
  return changed.length > 0
    ? Response.json({ urls })
    : Response.json({ skipped: 'A newer picture is in place.' });
});

/** A client that acts with this invocation's own token: it may do what galley.toml grants, until the invocation ends. */
function asInvocation(request: Request): SupabaseClient {
  const token = request.headers.get('Authorization')?.replace(/^Bearer /, '') ?? '';
  return createClient(Deno.env.get('SUPABASE_URL')!, Deno.env.get('SUPABASE_ANON_KEY')!, {
    accessToken: () => Promise.resolve(token),
  });
}

/** Stores the picture's middle as a square of `sizePx` × `sizePx` pixels. Returns its public URL. */
async function makeThumbnail(galley: SupabaseClient, owner: string, picture: Picture, sizePx: number) {
  const { data: thumbnail } = await galley.storage
    .from('avatars')
    .setHeader('Accept', 'image/webp')
    .throwOnError()
    .download(picture.name, { transform: { width: sizePx, height: sizePx, resize: 'cover' } });

  const thumbnails = galley.storage.from('thumbnails').throwOnError();
  const name = `${owner}/${picture.version}/${sizePx}.webp`;
  await thumbnails.upload(name, thumbnail!, {
    contentType: thumbnail!.type,
    upsert: true,
    cacheControl: '31536000',
  });
  // Not getPublicUrl(): that begins with SUPABASE_URL, by which only functions may reach the server.
  return `${Deno.env.get('SUPABASE_PUBLIC_URL')}/storage/v1/object/public/thumbnails/${name}`;
}

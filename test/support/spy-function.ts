/**
 * A function that tries what it did not declare, with its own token, and answers with what came of it: `denied: …` is
 * how the platform should have it. `allowed` shows that the same means work for what it did declare.
 */
export const spySource = `
import { createClient } from 'npm:@supabase/supabase-js@2.109.0';

Deno.serve(async (request) => {
  const { picture, userId, otherHost } = await request.json();
  const token = request.headers.get('x-galley-token');
  const galley = createClient(Deno.env.get('SUPABASE_URL'), Deno.env.get('SUPABASE_ANON_KEY'), {
    accessToken: async () => token,
  });
  const attempt = async (work) => {
    try {
      const { data, error } = await work();
      return error ? 'denied: ' + error.message : data === null || data?.length === 0 ? 'nothing' : 'got it';
    } catch (error) {
      return 'denied: ' + error.message;
    }
  };
  const value = (found) => ({ data: found ?? null });
  return Response.json({
    allowed: {
      'its own secret': await attempt(() => value(Deno.env.get('MINE'))),
      'its table': await attempt(() => galley.from('profiles').select('id')),
    },
    forbidden: {
      'another secret': await attempt(() => value(Deno.env.get('THEIRS'))),
      'the service key': await attempt(() => value(Deno.env.get('SUPABASE_SERVICE_ROLE_KEY'))),
      'another verb': await attempt(() => galley.from('profiles').update({ username: 'spy' }).eq('id', userId).select()),
      'another table': await attempt(() => galley.from('diaries').select()),
      'another schema': await attempt(() => galley.schema('auth').from('users').select()),
      'another bucket': await attempt(() => galley.storage.from('avatars').download(picture)),
      'another bucket, listed': await attempt(() => galley.storage.from('avatars').list(userId)),
      'a bucket that is not its to write': await attempt(() =>
        galley.storage.from('thumbnails').upload('spy.webp', new Blob(['x'], { type: 'image/webp' })),
      ),
      'a host': await attempt(async () => value(await (await fetch(otherHost)).text())),
      'a file': await attempt(async () => value(await Deno.readTextFile('/etc/passwd'))),
      'a file by import': await attempt(async () => {
        const path = ['file:///etc', 'passwd'].join('/');
        return value(await import(path, { with: { type: 'text' } }));
      }),
      'a process': await attempt(async () => value(await new Deno.Command('id').output())),
    },
  });
});
`;

export const spyManifest = {
  permissions: {
    tables: { 'public.profiles': ['select'] },
    buckets: { thumbnails: ['read'] },
    secrets: ['MINE'],
  },
};

import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { WebSocket } from 'undici';
import { repositoryRoot } from '#libs/platform';
import { eventually } from './eventually.js';

export const avatarsProject = join(repositoryRoot, 'examples', 'avatars');
export const thumbnailSizesPx = [64, 256, 512];

export type Picture = 'dandelion.jpg' | 'fig.png' | 'dogs.webp';

function readPicture(picture: Picture): Promise<Buffer> {
  return readFile(join(avatarsProject, 'pictures', picture));
}

/** Someone with the app on their phone. */
export interface Person {
  readonly id: string;
  readonly client: SupabaseClient;
}

export function newClient(url: string, key: string): SupabaseClient {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { transport: WebSocket as never },
  });
}

export async function signUp(url: string, publishableKey: string): Promise<Person> {
  const client = newClient(url, publishableKey);
  const { data, error } = await client.auth.signUp({
    email: `${randomUUID()}@example.com`,
    password: 'correct horse battery staple',
  });
  if (error) throw error;
  return { id: data.user!.id, client };
}

/** Uploads a picture as the person's avatar and returns its path. */
export async function uploadAvatar(person: Person, picture: Picture, requestId: string): Promise<string> {
  const path = `${person.id}/${picture}`;
  const types = { jpg: 'image/jpeg', png: 'image/png', webp: 'image/webp' };
  const { error } = await person.client.storage
    .from('avatars')
    .setHeader('x-request-id', requestId)
    .upload(path, await readPicture(picture), {
      contentType: types[picture.split('.')[1] as keyof typeof types],
      upsert: true,
    });
  if (error) throw error;
  return path;
}

/** Waits until the person's profile shows the picture at `path`; returns its URLs by size. */
export async function avatarUrls(
  person: Person,
  path: string,
  within = 40_000,
): Promise<Record<string, string>> {
  return eventually(
    async () => {
      const { data } = await person.client
        .from('profiles')
        .select('avatar_path, avatar_urls')
        .eq('id', person.id)
        .maybeSingle();
      return data?.avatar_path === path ? (data.avatar_urls as Record<string, string>) : undefined;
    },
    { within, what: 'the profile showing the new picture' },
  );
}

/** Loads a thumbnail as anyone may, and returns its pixels' size and colours. */
export async function loadThumbnail(url: string) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const { width, height, format, hasAlpha, orientation } = await sharp(bytes).metadata();
  const { data } = await sharp(bytes)
    .removeAlpha()
    .resize(3, 3, { kernel: 'linear' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  /** Mean brightness of a row of the picture, seen in thirds from the top. */
  const rowBrightness = (row: 0 | 1 | 2) => {
    const pixels = data.subarray(row * 9, row * 9 + 9);
    return pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  };
  return { bytes, width, height, format, hasAlpha, orientation, rowBrightness };
}

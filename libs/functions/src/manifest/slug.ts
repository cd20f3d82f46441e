import { AppError } from '#libs/platform';
import { limits } from '../limits.js';

const slugPattern = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** Whether `slug` can be the name of a function: the rule of Supabase's CLI. */
export function isSlug(slug: string): boolean {
  return slug.length <= limits.slugChars && slugPattern.test(slug);
}

/** @throws AppError `invalid_slug` (400) */
export function checkSlug(slug: string): string {
  if (isSlug(slug)) return slug;
  throw new AppError({
    code: 'invalid_slug',
    status: 400,
    message: `A function's name is a letter, then letters, digits, "-" or "_", at most ${limits.slugChars} in all`,
  });
}

import { z } from 'zod';
import { invalidRequest } from '../errors.js';
import { limits } from '../limits.js';

const side = z.coerce
  .number()
  .int()
  .min(0)
  .transform((pixels) => Math.min(pixels, limits.pictureSide));

const transformSchema = z.object({
  width: side.optional(),
  height: side.optional(),
  resize: z.enum(['cover', 'contain', 'fill']).optional(),
  quality: z.coerce.number().int().min(20).max(100).optional(),
  format: z.enum(['origin', 'avif', 'webp']).optional(),
  gravity: z.enum(['no', 'so', 'ea', 'we', 'noea', 'nowe', 'soea', 'sowe', 'ce', 'sm']).optional(),
});

/**
 * How a picture is to be rendered, in Supabase's words. Sides in pixels; 0 or none means as the other side demands.
 * `cover` (the default) crops to the sides, `contain` fits within them, `fill` stretches.
 * `gravity` says which part a crop keeps: a direction, `ce`ntre or, by `sm`, what catches the eye.
 */
export type Transform = z.infer<typeof transformSchema>;

const expectations: Readonly<Record<string, string>> = {
  width: 'an integer from 0',
  height: 'an integer from 0',
  resize: 'cover, contain or fill',
  quality: 'an integer from 20 to 100',
  format: 'origin, avif or webp',
  gravity: 'no, so, ea, we, noea, nowe, soea, sowe, ce or sm',
};

/**
 * Reads a transformation from a query or a JSON body; what else these hold is left alone.
 * @throws AppError `InvalidRequest`
 */
export function parseTransform(input: object): Transform {
  const parsed = transformSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const name = String(parsed.error.issues[0]?.path[0]);
  throw invalidRequest(`${name} must be ${expectations[name] ?? 'valid'}`);
}

/** `width:100,height:100,resize:cover`: how a signed URL's token keeps a transformation. */
export function formatTransform(transform: Transform): string {
  return Object.entries(transform)
    .filter(([, value]) => value !== undefined && value !== 0)
    .map(([name, value]) => `${name}:${value}`)
    .join(',');
}

/** Reads what {@link formatTransform} wrote. */
export function parseTransformText(text: string): Transform {
  return parseTransform(Object.fromEntries(text.split(',').map((entry) => entry.split(':'))));
}

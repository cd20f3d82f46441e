import { nestsDeeper } from '#libs/platform';
import { z } from 'zod';
import { badJson, validationFailed } from './errors.js';
import { limits } from './limits.js';

/** Clients send null and '' for what is not given. */
const optionalText = (maxChars: number) =>
  z
    .string()
    .max(maxChars)
    .nullish()
    .transform((value) => value || undefined);

/** The pattern of HTML's e-mail field, as GoTrue uses it. Addresses are compared and kept in lower case. */
const email = z
  .email({ pattern: z.regexes.html5Email, error: 'Unable to validate email address: invalid format' })
  .max(limits.emailChars, 'An email address is too long')
  .toLowerCase();

const optionalEmail = z
  .union([z.literal('').transform(() => undefined), email])
  .nullish()
  .transform((value) => value ?? undefined);

const password = z
  .string()
  .max(limits.passwordInputChars)
  .nullish()
  .transform((value) => value ?? undefined);

/** Free to the app; becomes `user_metadata`. */
const metadata = z
  .record(z.string(), z.unknown())
  .refine((value) => !nestsDeeper(value, limits.userMetadataNesting), {
    error: `may nest ${limits.userMetadataNesting} levels deep`,
  })
  .nullish()
  .transform((value) => value ?? undefined);

export const signUpRequest = z.object({
  email: optionalText(limits.emailChars),
  phone: optionalText(limits.emailChars),
  password,
  data: metadata,
});

export const emailToSignUp = email;

export const passwordGrantRequest = z.object({
  email: optionalText(limits.emailChars),
  phone: optionalText(limits.emailChars),
  password: password.transform((value) => value ?? ''),
});

export const refreshGrantRequest = z.object({
  refresh_token: z.string().min(1, 'refresh_token required').max(limits.refreshTokenChars),
});

export const updateUserRequest = z.object({
  email: optionalEmail,
  phone: optionalText(limits.emailChars),
  password,
  current_password: optionalText(limits.passwordInputChars),
  data: metadata,
  app_metadata: metadata,
});

export const logoutScope = z.enum(['global', 'local', 'others']);

export type SignUpRequest = z.infer<typeof signUpRequest>;
export type UpdateUserRequest = z.infer<typeof updateUserRequest>;
export type LogoutScope = z.infer<typeof logoutScope>;

/**
 * Parses a JSON body; none counts as `{}`.
 * @throws AppError `bad_json` when it is not an object, `validation_failed` naming the first field that is wrong.
 */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const value = body ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) throw badJson();
  return parseValue(schema, value);
}

/** @throws AppError `validation_failed`. */
export function parseValue<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = firstIssue(parsed.error);
  const path = issue.path.join('.');
  throw validationFailed(path === '' ? issue.message : `${path}: ${issue.message}`);
}

function firstIssue(error: z.ZodError): { path: PropertyKey[]; message: string } {
  const issue = error.issues[0]!;
  return { path: issue.path, message: issue.message };
}

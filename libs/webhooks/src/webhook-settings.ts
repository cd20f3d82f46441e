import { eventNames, parseConditions } from '#libs/events';
import { AppError, problemsInOneLine } from '#libs/platform';
import { z } from 'zod';
import { limits } from './limits.js';

const { attempts } = limits;
const attemptsError = `expected a whole number from ${attempts.min} to ${attempts.max}`;
/** Schemas of the platform and of PostgreSQL: what is in them is told, if at all, by other events. */
const platformSchemas =
  /^(auth|storage|realtime|galley|extensions|supabase_functions|information_schema|pg_.*)$/;
const filterKeys = ['bucket', 'prefix', 'table', 'columns', 'when'] as const;
const columnName = z.string().regex(/^[^\0]{1,63}$/, { error: 'expected the name of a column' });

/** What people did. What became of deliveries is left out: a webhook's own end would be told to it, for ever. */
const toldEvents = eventNames.filter((name) => /^(user|object|row)\./.test(name));

/** A webhook, as `[[webhooks]]` in galley.toml and the management API write it. */
const settings = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_-]*$/, { error: 'expected a letter, then letters, digits, "-" or "_"' })
      .max(limits.nameChars, { error: `expected at most ${limits.nameChars} characters` }),
    url: z
      .string()
      .max(limits.urlChars, { error: `expected at most ${limits.urlChars} characters` })
      .refine(isWebUrl, {
        error: 'expected a URL of http or https without a user and password',
      }),
    event: z.enum(toldEvents, { error: `expected one of ${toldEvents.join(', ')}` }),
    bucket: z
      .string()
      .regex(/^[^/\0]{1,100}$/, { error: 'expected the name of a bucket' })
      .optional(),
    prefix: z.string().min(1).max(900).optional(),
    table: z
      .string()
      .regex(/^[^."\0]{1,63}\.[^."\0]{1,63}$/, { error: 'expected "schema.table"' })
      .refine((table) => !platformSchemas.test(table.split('.')[0]!), {
        error: 'tables of the platform cannot be named here; use an object or user event',
      })
      .optional(),
    /** Only when one of these has changed. */
    columns: z
      .array(columnName)
      .min(1, { error: 'expected the name of a column' })
      .max(limits.filterEntries, { error: `expected at most ${limits.filterEntries} columns` })
      .optional(),
    /** Only of rows that satisfy this, by column: `status = "eq.paid"`. */
    when: z
      .record(columnName, z.string().max(limits.conditionChars))
      .refine((when) => Object.keys(when).length <= limits.filterEntries, {
        error: `expected conditions on at most ${limits.filterEntries} columns`,
      })
      .optional(),
    /** The name of the project's secret that signs it. */
    secret: z.string().min(1).max(256),
    attempts: z
      .int({ error: attemptsError })
      .min(attempts.min, { error: attemptsError })
      .max(attempts.max, { error: attemptsError })
      .default(attempts.default),
    /** Absent: as it was. */
    enabled: z.boolean({ error: 'expected true or false' }).optional(),
  })
  .superRefine((webhook, context) => {
    const refuse = (key: string, message: string, column?: string) =>
      context.addIssue({ code: 'custom', path: column === undefined ? [key] : [key, column], message });
    const allowed = filtersOf(webhook.event);
    for (const key of filterKeys) {
      if (webhook[key] !== undefined && !allowed.includes(key))
        refuse(key, `${webhook.event} has no ${key}; expected ${allowed.join(', ') || 'no filter'}`);
    }
    if (allowed.includes('table') && webhook.table === undefined)
      refuse('table', 'expected "schema.table": row events need it');
    for (const [column, problem] of parseConditions(webhook.when ?? {}).problems)
      refuse('when', problem, column);
  });

export type WebhookSettings = z.output<typeof settings>;
export type WebhookFilter = Pick<WebhookSettings, (typeof filterKeys)[number]>;

/** @throws AppError `invalid_webhook` (400) naming each wrong key and what was expected there */
export function parseWebhook(input: unknown): WebhookSettings {
  const parsed = settings.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AppError({ code: 'invalid_webhook', status: 400, message: problemsInOneLine(parsed.error) });
}

/** Key order is fixed here, so that equal filters have one text and one id. */
export function filterOf(webhook: WebhookFilter): WebhookFilter {
  const { columns, when } = webhook;
  const filter: WebhookFilter = {
    ...webhook,
    columns: columns?.toSorted(),
    when: when && Object.fromEntries(Object.entries(when).toSorted()),
  };
  return Object.fromEntries(
    filterKeys.flatMap((key) => (filter[key] === undefined ? [] : [[key, filter[key]]])),
  );
}

function filtersOf(event: string): readonly string[] {
  if (event.startsWith('object.')) return ['bucket', 'prefix'];
  if (event === 'row.updated') return ['table', 'columns', 'when'];
  return event.startsWith('row.') ? ['table', 'when'] : [];
}

function isWebUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

/** A media type as PostgREST tells them apart: what it does not know is only a name. */
export type MediaType =
  | {
      readonly kind: 'named';
      /** `application/json`, `image/png`, or `*`/`*` for any. */
      readonly name: string;
    }
  /** Rows as a JSON list whose objects have no null members. */
  | { readonly kind: 'stripped-array' }
  /** The only row, as a JSON object. */
  | { readonly kind: 'object'; readonly stripNulls: boolean }
  | PlanMediaType;

/** How PostgreSQL would write a response of the media type `of`. */
export interface PlanMediaType {
  readonly kind: 'plan';
  readonly of: MediaType;
  readonly format: 'text' | 'json';
  readonly options: readonly PlanOption[];
}

const planOptions = ['analyze', 'verbose', 'settings', 'buffers', 'wal'] as const;
type PlanOption = (typeof planOptions)[number];

const anyMediaType: MediaType = { kind: 'named', name: '*/*' };
export const jsonMediaType: MediaType = { kind: 'named', name: 'application/json' };

/** Names that are told in any case; the others count as they are written. */
const knownNames = new Set([
  'application/json',
  'application/geo+json',
  'text/csv',
  'text/plain',
  'text/xml',
  'application/openapi+json',
  'application/x-www-form-urlencoded',
  'application/octet-stream',
  '*/*',
]);

const withoutAccept: readonly MediaType[] = [anyMediaType];
const jsonOnly: readonly MediaType[] = [jsonMediaType];

/**
 * The media types of an `Accept` header, the most wanted first: by quality, then by how specific they are
 * (RFC 9110 §12.5.1), then as they stand.
 */
export function acceptedMediaTypes(accept: string | undefined): readonly MediaType[] {
  if (accept === undefined || accept === '*/*') return withoutAccept;
  if (accept === 'application/json') return jsonOnly;
  if (accept === '') return [];
  return accept
    .split(',')
    .map(parseRange)
    .toSorted((a, b) => b.quality - a.quality || b.specificity - a.specificity)
    .map(({ text }) => parseMediaType(text));
}

function parseRange(range: string): { text: string; quality: number; specificity: number } {
  const [text = '', rest] = range.replaceAll(' ', '').split(/;q=(.*)/s, 2);
  const quality = /^\d+(?:\.\d+)?/.exec(rest ?? '')?.[0];
  return { text, quality: Number(quality ?? 1), specificity: count(text, ';') - count(text, '*') };
}

function count(text: string, char: string): number {
  return text.split(char).length - 1;
}

const namePattern = /^([\p{L}\p{N}.*]+\/[\p{L}\p{N}.*+-]+)/u;
const parameterPattern = / *; *([\p{L}\p{N}-]+)\s*=\s*(?:"([^"]*)"|([\p{L}\p{N}|-]+))/uy;

/** Parses one media type with its parameters (RFC 9110 §8.3.1); what cannot be read of them is passed over. */
export function parseMediaType(text: string): MediaType {
  const name = namePattern.exec(text)?.[1];
  if (name === undefined) return { kind: 'named', name: text };
  const known = name.toLowerCase();
  if (knownNames.has(known)) return { kind: 'named', name: known };
  if (!known.startsWith('application/vnd.pgrst.')) return { kind: 'named', name: text };
  const parameters = parseParameters(text, name.length);
  const stripNulls = parameters.get('nulls') === 'stripped';
  switch (known) {
    case 'application/vnd.pgrst.array':
    case 'application/vnd.pgrst.array+json':
      return stripNulls ? { kind: 'stripped-array' } : jsonMediaType;
    case 'application/vnd.pgrst.object':
    case 'application/vnd.pgrst.object+json':
      return { kind: 'object', stripNulls };
    case 'application/vnd.pgrst.plan':
    case 'application/vnd.pgrst.plan+text':
      return planMediaType('text', parameters);
    case 'application/vnd.pgrst.plan+json':
      return planMediaType('json', parameters);
    default:
      return { kind: 'named', name: text };
  }
}

function parseParameters(text: string, start: number): Map<string, string> {
  const parameters = new Map<string, string>();
  parameterPattern.lastIndex = start;
  let match: RegExpExecArray | null;
  while ((match = parameterPattern.exec(text)) !== null) {
    parameters.set(match[1]!.toLowerCase(), match[2] ?? match[3] ?? '');
  }
  return parameters;
}

function planMediaType(format: 'text' | 'json', parameters: ReadonlyMap<string, string>): PlanMediaType {
  const wanted = parameters.get('options')?.split('|') ?? [];
  const of = parameters.get('for');
  return {
    kind: 'plan',
    of: of === undefined ? jsonMediaType : parseMediaType(of),
    format,
    options: planOptions.filter((option) => wanted.includes(option)),
  };
}

/** How `type` is written, e.g. in errors: with the parameters that count. */
export function mediaTypeName(type: MediaType): string {
  switch (type.kind) {
    case 'named':
      return type.name;
    case 'stripped-array':
      return 'application/vnd.pgrst.array+json;nulls=stripped';
    case 'object':
      return `application/vnd.pgrst.object+json${type.stripNulls ? ';nulls=stripped' : ''}`;
    case 'plan': {
      const options = type.options.length === 0 ? '' : `; options=${type.options.join('|')}`;
      return `application/vnd.pgrst.plan+${type.format}; for="${mediaTypeName(type.of)}"${options}`;
    }
  }
}

/** Value of `Content-Type`. Nothing is said of the characters of what may not be text. */
export function contentType(type: MediaType): string {
  const name = mediaTypeName(type);
  const mayBeBinary = type.kind === 'named' && (!knownNames.has(name) || name === 'application/octet-stream');
  return mayBeBinary ? name : `${name}; charset=utf-8`;
}

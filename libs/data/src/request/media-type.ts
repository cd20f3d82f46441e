import { pgrstError } from '../errors.js';

/** How rows are written into the response body. */
type Format = 'array' | 'object' | 'csv';

export interface MediaType {
  readonly format: Format;
  /** `;nulls=stripped`: leave null members out of JSON objects. */
  readonly stripNulls: boolean;
  /** Value of the response's `Content-Type`. */
  readonly contentType: string;
}

const json: MediaType = {
  format: 'array',
  stripNulls: false,
  contentType: 'application/json; charset=utf-8',
};

/**
 * Chooses the response's media type by an `Accept` header (RFC 9110 §12.5.1).
 * @throws AppError PGRST107 when none of the accepted types can be produced.
 */
export function negotiateMediaType(accept: string | undefined): MediaType {
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return json;
  const accepted = accept
    .split(',')
    .map(parseRange)
    .filter((range) => range.type !== '' && range.quality > 0)
    .toSorted((a, b) => b.quality - a.quality);
  if (accepted.length === 0) return json;
  for (const range of accepted) {
    const mediaType = mediaTypeOf(range);
    if (mediaType) return mediaType;
  }
  const types = accepted.map((range) => range.type).join(', ');
  throw pgrstError('PGRST107', { message: `None of these media types are available: ${types}` });
}

/** The media type of a request body without its parameters; JSON when none is given. */
export function bodyType(contentType: string | undefined): string {
  return contentType?.split(';', 1)[0]!.trim().toLowerCase() || 'application/json';
}

interface MediaRange {
  readonly type: string;
  readonly quality: number;
  readonly parameters: ReadonlySet<string>;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  return { type, quality: quality === undefined ? 1 : Number(quality) || 0, parameters: new Set(parameters) };
}

function mediaTypeOf(range: MediaRange): MediaType | undefined {
  const stripNulls = range.parameters.has('nulls=stripped');
  const parameter = stripNulls ? '; nulls=stripped' : '';
  switch (range.type) {
    case '*/*':
    case 'application/*':
    case 'application/json':
      return json;
    case 'application/vnd.pgrst.array':
    case 'application/vnd.pgrst.array+json': {
      if (!stripNulls) return json;
      return {
        format: 'array',
        stripNulls,
        contentType: `application/vnd.pgrst.array+json${parameter}; charset=utf-8`,
      };
    }
    case 'application/vnd.pgrst.object':
    case 'application/vnd.pgrst.object+json':
      return {
        format: 'object',
        stripNulls,
        contentType: `application/vnd.pgrst.object+json${parameter}; charset=utf-8`,
      };
    case 'text/csv':
      return { format: 'csv', stripNulls: false, contentType: 'text/csv; charset=utf-8' };
    default:
      return undefined;
  }
}

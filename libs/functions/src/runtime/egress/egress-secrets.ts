import { randomBytes } from 'node:crypto';

/** A secret that a function uses and never holds. */
export interface EgressSecret {
  readonly name: string;
  /** What the function holds in its stead. */
  readonly placeholder: string;
  readonly value: string;
  /** `host:port`, where the platform puts the value in the place of the placeholder. */
  readonly hosts: readonly string[];
}

/** Nobody guesses it, and no header, URL or form writes it in another way. */
export function newPlaceholder(): string {
  return `galley_secret_${randomBytes(20).toString('hex')}`;
}

/** Whether a header can carry it (RFC 9110 §5.5): a line break would begin another one. */
export function fitsHeader(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

/** The secret whose placeholder stands there. */
export function secretNamedIn(text: string, secrets: readonly EgressSecret[]): EgressSecret | undefined {
  return secrets.find(({ placeholder }) => text.includes(placeholder));
}

/** A header's value with the secrets in it, within the credentials of Basic authentication (RFC 7617) as well. */
export function withSecrets(text: string, secrets: readonly EgressSecret[]): string {
  const basic = /^(Basic +)([A-Za-z0-9+/]+={0,2})$/i.exec(text);
  if (!basic) return filledIn(text, secrets);
  const credentials = Buffer.from(basic[2]!, 'base64').toString('latin1');
  const filled = filledIn(credentials, secrets);
  return filled === credentials ? text : basic[1]! + Buffer.from(filled, 'latin1').toString('base64');
}

function filledIn(text: string, secrets: readonly EgressSecret[]): string {
  // By a function: `$&` in a value would stand for something else.
  return secrets.reduce(
    (filled, { placeholder, value }) => filled.replaceAll(placeholder, () => value),
    text,
  );
}

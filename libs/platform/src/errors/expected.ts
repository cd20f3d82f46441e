import type { z } from 'zod';

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'names with values',
  record: 'names with values',
};
const formats: Readonly<Record<string, string>> = {
  datetime: 'a time such as 2026-01-31T12:00:00Z',
  uuid: 'a UUID',
};
/** What the size of a thing counts. */
const counted: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
};

/**
 * What was expected where a schema says nothing of its own, in words for people who know neither the schema nor its
 * library: to be given as `error` when input is parsed. Undefined leaves it to the library.
 */
export function expected(issue: z.core.$ZodRawIssue): string | undefined {
  const told = toldExpectation(issue);
  return told && `expected ${told}`;
}

function toldExpectation(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return kinds[issue.expected];
    case 'invalid_value':
      return `${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`;
    case 'too_small':
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${amountOf(issue.minimum, issue.origin)}`;
    case 'too_big':
      return `${issue.inclusive === false ? 'less than' : 'at most'} ${amountOf(issue.maximum, issue.origin)}`;
    case 'invalid_format':
      return formats[issue.format];
    default:
      return undefined;
  }
}

function amountOf(amount: number | bigint, origin: string): string {
  const words = counted[origin];
  return words ? `${amount} ${words[Number(amount) === 1 ? 0 : 1]}` : String(amount);
}

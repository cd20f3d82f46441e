import { sqlStateOf } from '#libs/platform';

/** SQLSTATE class 22, data exception: NUL or half a surrogate pair in a string, say. */
export function isUnstorableValue(error: unknown): boolean {
  return sqlStateOf(error)?.startsWith('22') ?? false;
}

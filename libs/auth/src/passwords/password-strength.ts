import { validationFailed, WeakPasswordError } from '../errors.js';
import { limits } from '../limits.js';

/** What makes `password` easy to guess, or null. */
export function weaknessOf(password: string): WeakPasswordError | null {
  if (password.length >= limits.passwordMinChars) return null;
  return new WeakPasswordError(`Password should be at least ${limits.passwordMinChars} characters.`, [
    'length',
  ]);
}

/**
 * Accepts a password that someone wants to have from now on.
 * @throws AppError `weak_password` with its reasons; `validation_failed` when bcrypt would cut it.
 */
export function requireAcceptable(password: string): void {
  if (Buffer.byteLength(password) > limits.passwordMaxBytes) {
    throw validationFailed(`Password cannot be longer than ${limits.passwordMaxBytes} characters`);
  }
  const weakness = weaknessOf(password);
  if (weakness) throw weakness;
}

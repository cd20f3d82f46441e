import { OperatorError } from '#libs/platform';

/**
 * What `read` gives, or undefined where nothing is at `path`. All else that can go wrong with a file (no permission, a
 * folder in its place) is told: taking the file for missing would leave out what it says.
 * @throws OperatorError naming the path
 */
export async function unlessMissing<T>(
  path: string,
  read: (path: string) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new OperatorError(`${path} cannot be read: ${message}`, { cause: error });
  }
}

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What stands in each file of a deployment's code, by path: `<directory>/contents.json`. */
const contentsFile = 'contents.json';

interface FileContents {
  readonly sizeBytes: number;
  /** In base64. */
  readonly sha256: string;
}

export async function writeContents(
  directory: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const entries = [...files].map(([path, bytes]): [string, FileContents] => [
    path,
    { sizeBytes: bytes.byteLength, sha256: hashOf(bytes) },
  ]);
  const text = JSON.stringify(Object.fromEntries(entries));
  await writeFile(join(directory, contentsFile), text, { flush: true });
}

/** Whether all files are there and as long as they were. @param directory of what was written of them */
export function hasSizes(codeDirectory: string, directory: string): boolean {
  try {
    return contentsOf(directory).every(
      ([path, { sizeBytes }]) => statSync(join(codeDirectory, path)).size === sizeBytes,
    );
  } catch {
    return false;
  }
}

/** Whether all files hold what was written. @param directory of what was written of them */
export async function hasHashes(codeDirectory: string, directory: string): Promise<boolean> {
  try {
    for (const [path, { sha256 }] of contentsOf(directory))
      if (hashOf(await readFile(join(codeDirectory, path))) !== sha256) return false;
    return true;
  } catch {
    return false;
  }
}

function contentsOf(directory: string): [path: string, contents: FileContents][] {
  const text = readFileSync(join(directory, contentsFile), 'utf8');
  return Object.entries(JSON.parse(text) as Record<string, FileContents>);
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64');
}

/** Numbers that a client's first message may carry in place of a version (PostgreSQL manual §54.7). */
const cancelRequest = 80_877_102;
const tlsRequest = 80_877_103;
const gssRequest = 80_877_104;
/** What PostgreSQL reads of such a message at most. */
const startupBytes = 10_000;

/** What a client says first, before it is asked for a password. */
export type StartupMessage =
  /** It asks for encryption; what answers is one byte, and then it begins again. */
  | { readonly kind: 'encryption' }
  /** It wants a statement of another connection to end, and names a number that only that one was told. */
  | { readonly kind: 'cancel' }
  | { readonly kind: 'login'; readonly parameters: ReadonlyMap<string, string> };

/**
 * Reads the message that `bytes` begins with.
 * @returns also its length; null: it is not complete yet
 * @throws Error when it is none
 */
export function startupMessage(bytes: Buffer): { message: StartupMessage; sizeBytes: number } | null {
  if (bytes.length < 8) return null;
  const sizeBytes = bytes.readInt32BE(0);
  if (sizeBytes < 8 || sizeBytes > startupBytes) throw new Error('This is not the protocol of PostgreSQL.');
  if (bytes.length < sizeBytes) return null;
  const code = bytes.readInt32BE(4);
  return { message: messageOf(code, bytes.subarray(8, sizeBytes)), sizeBytes };
}

function messageOf(code: number, rest: Buffer): StartupMessage {
  if (code === tlsRequest || code === gssRequest) return { kind: 'encryption' };
  if (code === cancelRequest) return { kind: 'cancel' };
  if (code >> 16 !== 3) throw new Error('Only version 3 of the protocol of PostgreSQL is spoken here.');
  const words = rest.toString('utf8').split('\0');
  const parameters = new Map<string, string>();
  for (let at = 0; at + 1 < words.length && words[at] !== ''; at += 2)
    parameters.set(words[at]!, words[at + 1]!);
  return { kind: 'login', parameters };
}

/** A FATAL error as the server would tell it, after which it closes the connection (PostgreSQL manual §54.8). */
export function fatalError(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

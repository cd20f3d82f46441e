/**
 * The SQLSTATE of what PostgreSQL answered (manual, appendix A); undefined for errors of another origin. Their codes
 * may look the same: EPIPE has five characters too.
 */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  return typeof code === 'string' && severity !== undefined ? code : undefined;
}

const connectionCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT']);

/** Whether a connection could not be had or broke, to PostgreSQL or to where object bytes are. */
export function isConnectionError(error: unknown): boolean {
  const sqlState = sqlStateOf(error);
  // Connection exceptions, and a server that shuts down, crashed or is starting.
  if (sqlState !== undefined) return /^(?:08|57P0[123])/.test(sqlState);
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  // ENOENT is a connection error only where a socket was looked for.
  if (syscall === 'connect' || (code !== undefined && connectionCodes.has(code))) return true;
  // pg gives these no code.
  return /^(?:Connection terminated|timeout exceeded when trying to connect)/.test(error.message);
}

/**
 * Whether PostgreSQL refused the data (classes 22 and 23) or what it would take (54), rather than was not to be had; or
 * it is longer than JavaScript can write in one piece. Whoever tries again is refused again.
 */
export function isRefusedData(error: unknown): error is Error {
  if (error instanceof RangeError) return true;
  return /^(22|23|54)/.test(sqlStateOf(error) ?? '');
}

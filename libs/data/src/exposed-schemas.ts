/** Schemas whose tables and functions the API shows; the first is meant when a request names none. */
export const exposedSchemas: readonly string[] = ['public', 'pgmq_public'];

export const queueAccesses = ['send', 'read'] as const;
type QueueAccess = (typeof queueAccesses)[number];
type Verb = 'select' | 'insert' | 'update' | 'delete';

interface Permissions {
  readonly tables: Record<string, Verb[]>;
  readonly rpc: string[];
  readonly queues: Readonly<Record<string, readonly QueueAccess[]>>;
}

/** The calls of Supabase Queues, and what they do to the queue's table and to that of its archive. */
const needs: Record<QueueAccess, { calls: string[]; queue: Verb[]; archive: Verb[] }> = {
  send: { calls: ['send', 'send_batch'], queue: ['select', 'insert'], archive: [] },
  read: {
    calls: ['read', 'pop', 'archive', 'delete'],
    queue: ['select', 'update', 'delete'],
    archive: ['select', 'insert'],
  },
};

/** Declares of each queue what it takes to send to it or read from it; repeating it changes nothing. */
export function withQueues<Declared extends Permissions>(permissions: Declared): Declared {
  const tables = { ...permissions.tables };
  const rpc = new Set(permissions.rpc);
  for (const [queue, accesses] of Object.entries(permissions.queues)) {
    for (const access of accesses) {
      const { calls, queue: onQueue, archive } = needs[access];
      for (const call of calls) rpc.add(`pgmq_public.${call}`);
      for (const [table, verbs] of [
        [`pgmq.q_${queue}`, onQueue] as const,
        [`pgmq.a_${queue}`, archive] as const,
      ]) {
        if (verbs.length > 0) tables[table] = [...new Set([...(tables[table] ?? []), ...verbs])];
      }
    }
  }
  return { ...permissions, tables, rpc: [...rpc] };
}

import { AuthModule } from '#libs/auth';
import { newId } from '#libs/platform';
import { StorageModule } from '#libs/storage';
import { insertInvocations, UsageLedger, type InvocationRecord } from '#libs/usage';
import type { Feature } from '../../apps/server/src/server.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';

/** A record as the database holds it. */
export interface RawInvocation {
  id: string;
  function_slug: string;
  started_at: Date;
  wall_ms: number;
  cpu_ms: number;
  memory_bytes: number;
  gb_ms: number;
  bytes_in: number;
  bytes_out: number;
  status: string;
  start: string;
}

export interface UsageServer extends FunctionsServer {
  /** All invocations that were recorded, read from their table. */
  invocations(slug?: string): Promise<RawInvocation[]>;
  /** Rows of the platform's database. */
  rows<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** An invocation that succeeded in 100 ms with 256 MB, unless `more` says otherwise. */
  newRecord(slug: string, startedAt: Date, more?: Partial<InvocationRecord>): InvocationRecord;
  /** As another process would. */
  record(invocations: readonly InvocationRecord[]): Promise<unknown>;
}

export async function startUsageServer(features: readonly Feature[] = []): Promise<UsageServer> {
  const server = await startFunctionsServer([AuthModule, StorageModule, ...features]);
  const rows = async <Row extends object>(text: string, values: readonly unknown[] = []) => {
    await server.get(UsageLedger).flush();
    return (await server.platform.database.query<Row>(text, values)).rows;
  };
  return {
    ...server,
    rows,
    newRecord: (slug, startedAt, more) => ({
      id: newId(),
      projectRef: server.project.ref,
      functionSlug: slug,
      deploymentId: newId(),
      trigger: 'http',
      deliveryId: null,
      attempt: 1,
      requestId: newId(),
      start: 'warm',
      status: 'succeeded',
      httpStatus: 200,
      error: null,
      startedAt,
      wallMs: 100,
      cpuMs: 10,
      peakMemoryBytes: 1e6,
      memoryBytes: 2 ** 28,
      bootMs: null,
      bytesIn: 1,
      bytesOut: 2,
      ...more,
    }),
    record: (invocations) => insertInvocations(server.platform.database, invocations),
    invocations: (slug) =>
      rows<RawInvocation>(
        `select id, function_slug, started_at, wall_ms, cpu_ms, memory_bytes::float8, gb_ms, bytes_in::float8,
                bytes_out::float8, status, start
         from invocations where $1::text is null or function_slug = $1 order by started_at, id`,
        [slug ?? null],
      ),
  };
}

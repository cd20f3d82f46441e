import { Injectable } from '@nestjs/common';
import { AppError, PlatformDatabase, Sealer, type Sql } from '#libs/platform';
import { createHash } from 'node:crypto';
import { limits } from '../limits.js';
import { isPlatformVariable } from '../manifest/manifest.js';

/** A secret as it may be shown. */
export interface SecretDigest {
  readonly name: string;
  /** SHA-256 of the value, in hex. */
  readonly sha256: string;
  readonly updatedAt: Date;
}

/** The named secrets that a project's functions may declare; sealed in the platform database. */
@Injectable()
export class Secrets {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly sealer: Sealer,
  ) {}

  async list(projectRef: string): Promise<SecretDigest[]> {
    const secrets = await this.database.prisma.secret.findMany({
      where: { projectRef },
      orderBy: { name: 'asc' },
    });
    return secrets.map(({ name, sealedValue, updatedAt }) => ({
      name,
      sha256: createHash('sha256')
        .update(this.#open(projectRef, name, sealedValue))
        .digest('hex'),
      updatedAt,
    }));
  }

  /**
   * Sets each secret, or none.
   * @throws AppError `invalid_secret` (400) for a name or value that no environment can hold; `too_many_secrets` (400).
   */
  async set(projectRef: string, values: ReadonlyMap<string, string>): Promise<void> {
    for (const [name, value] of values) checkSecret(name, value);
    await this.database.transaction(async (tx) => {
      await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [
        `galley secrets ${projectRef}`,
      ]);
      for (const [name, value] of values) {
        await tx.query(
          `insert into secrets (project_ref, name, sealed_value) values ($1, $2, $3)
           on conflict (project_ref, name) do update
             set sealed_value = excluded.sealed_value, updated_at = now()`,
          [projectRef, name, this.sealer.seal(value, sealingContext(projectRef, name))],
        );
      }
      await refuseTooMany(tx, projectRef);
    });
  }

  async remove(projectRef: string, names: readonly string[]): Promise<void> {
    await this.database.prisma.secret.deleteMany({ where: { projectRef, name: { in: [...names] } } });
  }

  /** The values of those of `names` that are set. A cold start waits for them. */
  async values(projectRef: string, names: readonly string[]): Promise<Map<string, string>> {
    if (names.length === 0) return new Map();
    const { rows } = await this.database.query<{ name: string; sealed_value: Buffer }>(
      'select name, sealed_value from secrets where project_ref = $1 and name = any($2::text[])',
      [projectRef, names],
    );
    return new Map(rows.map((row) => [row.name, this.#open(projectRef, row.name, row.sealed_value)]));
  }

  #open(projectRef: string, name: string, sealed: Uint8Array): string {
    return this.sealer.open(sealed, sealingContext(projectRef, name));
  }
}

function sealingContext(projectRef: string, name: string): string {
  return `secret ${name} of project ${projectRef}`;
}

function checkSecret(name: string, value: string): void {
  const problem =
    !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name.length > limits.secretNameChars
      ? `expected a name of letters, digits and "_", at most ${limits.secretNameChars}`
      : isPlatformVariable(name)
        ? 'names that start with SUPABASE_, SB_, DENO_ or GALLEY_ and those the runtime acts on are reserved'
        : value.includes('\0')
          ? 'a value cannot hold a zero byte'
          : Buffer.byteLength(value) > limits.secretValueBytes
            ? `a value may have ${limits.secretValueBytes} bytes`
            : undefined;
  if (problem === undefined) return;
  throw new AppError({
    code: 'invalid_secret',
    status: 400,
    message: `Secret ${JSON.stringify(name.slice(0, limits.secretNameChars))}: ${problem}`,
  });
}

async function refuseTooMany(tx: Sql, projectRef: string): Promise<void> {
  const { rows } = await tx.query<{ count: number }>(
    'select count(*)::integer as count from secrets where project_ref = $1',
    [projectRef],
  );
  if (rows[0]!.count <= limits.secretsPerProject) return;
  throw new AppError({
    code: 'too_many_secrets',
    status: 400,
    message: `A project may have ${limits.secretsPerProject} secrets`,
  });
}

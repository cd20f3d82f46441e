import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { CONFIG, newId, type Config, type Project } from '#libs/platform';
import { randomBytes } from 'node:crypto';
import type { AddressInfo, Server } from 'node:net';
import { declaredSecrets, withPort } from '../manifest/egress-secrets.js';
import { bootError } from '../runtime/boot-error.js';
import { fitsHeader, newPlaceholder, type EgressSecret } from '../runtime/egress/egress-secrets.js';
import { Secrets } from '../secrets/secrets.js';
import { region } from '../region.js';
import type { InstanceSpec } from '../runtime/function-runtime.js';
import { DatabaseAccess } from '../database/database-access.js';
import type { ActiveDeployment } from './known-deployments.js';

/** What a function's process finds in `Deno.env`, by Supabase's names, and where it may connect to. */
@Injectable()
export class FunctionEnvironment {
  /** Set where the API is answered by this process itself. */
  isServer = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly secrets: Secrets,
    private readonly adapterHost: HttpAdapterHost,
    private readonly databaseAccess: DatabaseAccess,
  ) {}

  /** Whether {@link apiUrl} is known: a server's own is once it listens. */
  get isReachable(): boolean {
    return !this.isServer || this.#server?.listening === true;
  }

  get #server(): Server | undefined {
    return this.adapterHost.httpAdapter?.getHttpServer() as Server | undefined;
  }

  /**
   * @returns the variables, what the placeholders among them stand for, and the way to the database if there is one
   * @throws AppError `BOOT_ERROR` (503) when a declared secret has been removed, or cannot be used as it is declared.
   */
  async of(
    project: Project,
    deployment: ActiveDeployment,
  ): Promise<Pick<InstanceSpec, 'env' | 'database'> & { egressSecrets: EgressSecret[] }> {
    const { permissions } = deployment.manifest;
    const values = await this.#secretsOf(project, declaredSecrets(permissions));
    const egressSecrets = Object.entries(permissions.egress_secrets).map(([name, hosts]) => ({
      name,
      placeholder: newPlaceholder(),
      value: headerValue(name, values.get(name)!),
      hosts: hosts.map(withPort),
    }));
    const access = permissions.database_url ? await this.databaseAccess.of(project, deployment) : null;
    const env = {
      ...this.#variables(project, deployment),
      ...Object.fromEntries(permissions.secrets.map((name) => [name, values.get(name)!])),
      ...Object.fromEntries(egressSecrets.map(({ name, placeholder }) => [name, placeholder])),
      ...(access && { SUPABASE_DB_URL: access.url }),
    };
    return { env, egressSecrets, ...(access && { database: access.database }) };
  }

  #variables(project: Project, deployment: ActiveDeployment): Record<string, string> {
    const { keys } = project;
    const { permissions, memory_mb, timeout_ms } = deployment.manifest;
    return {
      SUPABASE_URL: this.apiUrl(),
      SUPABASE_PUBLIC_URL: project.apiUrl,
      SUPABASE_ANON_KEY: keys.anonKey,
      SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishableKey }),
      SUPABASE_JWKS: JSON.stringify(project.tokens.jwks),
      ...(permissions.service_role && { SUPABASE_SERVICE_ROLE_KEY: keys.serviceRoleKey }),
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: permissions.service_role ? keys.secretKey : noKey() }),
      SB_REGION: region,
      SB_EXECUTION_ID: newId(),
      DENO_DEPLOYMENT_ID: `${project.ref}_${deployment.slug}_${deployment.number}`,
      GALLEY_FUNCTION: deployment.slug,
      GALLEY_MEMORY_MB: String(memory_mb),
      GALLEY_TIMEOUT_MS: String(timeout_ms),
    };
  }

  /** Where the API is. If this process serves it, connections need not leave the process. */
  api(): InstanceSpec['api'] {
    const { hostname, port, protocol } = new URL(this.apiUrl());
    return {
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port) || (protocol === 'https:' ? 443 : 80),
      accept: (socket) => {
        const server = this.isServer ? this.#server : undefined;
        return server?.listening === true && server.emit('connection', socket);
      },
    };
  }

  /**
   * Where functions reach the API: in this process if it is a server, since it knows the invocations that it runs;
   * from a worker where the configuration says.
   */
  apiUrl(): string {
    const server = this.#server;
    const address = this.isServer && server?.listening ? (server.address() as AddressInfo | null) : null;
    if (address === null) return this.config.internalUrl;
    const everywhere = address.address === '0.0.0.0' || address.address === '::';
    const host = everywhere
      ? '127.0.0.1'
      : address.family === 'IPv6'
        ? `[${address.address}]`
        : address.address;
    return `http://${host}:${address.port}`;
  }

  async #secretsOf(project: Project, names: readonly string[]): Promise<Map<string, string>> {
    const values = await this.secrets.values(project.ref, names);
    const missing = names.filter((name) => !values.has(name));
    if (missing.length === 0) return values;
    throw bootError(`The function declares secrets that are not set: ${missing.join(', ')}`);
  }
}

/** @throws AppError `BOOT_ERROR` (503) */
function headerValue(name: string, value: string): string {
  if (fitsHeader(value)) return value;
  throw bootError(
    `The secret ${name} is in permissions.egress_secrets and cannot stand in a header: it holds a line break, or another character that none can have. Set it anew.`,
  );
}

/**
 * `withSupabase` of npm:@supabase/server makes an admin client before it calls any handler and fails without a key. This
 * one opens nothing, and nobody else knows it, so that nobody can pass for its holder either.
 */
function noKey(): string {
  return `sb_secret_not_granted_${randomBytes(16).toString('hex')}`;
}

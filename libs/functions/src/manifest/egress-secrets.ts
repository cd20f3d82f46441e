/** What of a manifest's permissions this is about. */
interface Declared {
  readonly hosts: readonly string[];
  readonly secrets: readonly string[];
  readonly egress_secrets: Readonly<Record<string, readonly string[]>>;
}

/** All that it may connect to: what uses a secret at a host may connect to it. */
export function allowedHosts(permissions: Declared): string[] {
  return [...new Set([...permissions.hosts, ...hostsOfSecrets(permissions)])];
}

/** `host:port` of all hosts at which secrets are used. */
export function hostsOfSecrets({ egress_secrets }: Declared): string[] {
  return [...new Set(Object.values(egress_secrets).flat().map(withPort))];
}

/** A secret is sent in the clear only where a port for that is named. */
export function withPort(host: string): string {
  return /:\d+$/.test(host) ? host : `${host}:443`;
}

/** Names of all secrets that must be set. */
export function declaredSecrets({ secrets, egress_secrets }: Declared): string[] {
  return [...secrets, ...Object.keys(egress_secrets)];
}

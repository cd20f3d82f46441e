import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inheritedEnvironment } from '#libs/platform';
import { bundleLimits as limits } from './bundle-limits.js';
import { npmRegistry } from './npm-registry.js';

/** Settings of the operator about the network of builds. */
export interface BuildNetwork {
  /** `host` or `host:port` that code and packages may come from, beside those that always may. */
  readonly packageHosts?: readonly string[];
  /** Hosts that may have addresses that are not public. */
  readonly privateHosts?: readonly string[];
}

/** What a build may connect to. */
export interface BuildHosts {
  /** `host:port`; `host` with its usual ports. */
  readonly allowed: readonly string[];
  /** Those that the operator vouches for, registries among them: they are looked up and dialled whatever their address. */
  readonly private: readonly string[];
}

/** Null when it is not known which registry Deno would choose. */
export async function buildHosts(network: BuildNetwork): Promise<BuildHosts | null> {
  const { packageHosts = [], privateHosts = [] } = network;
  const registry = await npmRegistry();
  if (registry === null) return null;
  const registries = [registry, ...(await furtherRegistries())].map(hostOf);
  return {
    allowed: [...limits.importHosts, ...packageHosts, ...registries],
    private: [...privateHosts, ...registries],
  };
}

/** Where npm's settings are that Deno reads as well, in the home directory of the server. */
export function npmSettings(): string | null {
  const home = inheritedEnvironment()['HOME'];
  return home === undefined ? null : join(home, '.npmrc');
}

/** `registry=…` and `@scope:registry=…` */
const registrySetting = /^[ \t]*(?:@[^:\s]+:)?registry[ \t]*=[ \t]*["']?([^\s"']+)/gm;

async function furtherRegistries(): Promise<string[]> {
  const path = npmSettings();
  const text = path === null ? '' : await readFile(path, 'utf8').catch(() => '');
  return [...text.matchAll(registrySetting)].map(([, url]) => url!).filter((url) => URL.canParse(url));
}

function hostOf(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === 'http:' ? 80 : 443)}`;
}

/** For the tools that fetch modules. */
export function importArgument({ packageHosts = [] }: BuildNetwork): string {
  const own = packageHosts.map((host) => (/:\d+$/.test(host) ? host : `${host}:443`));
  return `--allow-import=${[...limits.importHosts, ...own].join(',')}`;
}

import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { realpathSync } from 'node:fs';
import { DeclaredHosts, repositoryRoot } from '#libs/platform';
import { Egress, nameServerPort } from '../runtime/egress/egress.js';
import { notDeclared } from '../runtime/egress/refusal.js';
import type { HostPrograms } from '../runtime/host-programs.js';
import { Jailer, type Jail } from '../runtime/jail/jailer.js';
import { denoBinary } from '../runtime/deno-binary.js';
import { npmSettings, type BuildHosts } from './build-hosts.js';
import { proxyDoor, proxyHost, proxyPort, type Proxies } from './build-proxy.js';
import { bundleLimits as limits } from './bundle-limits.js';

/** Where things are in a build's jail, beside what every jail has. */
export const buildPaths = { cache: '/galley/cache/deno', home: '/galley/home' } as const;

/**
 * Makes the jails of builds. Their walls are those of functions' jails; inside is one source tree, read-only, and Deno's
 * cache, which all builds share. The jailer is there while there are builds, and for a little longer.
 */
export class BuildJails {
  readonly #jailer: Jailer;
  #inUse = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(programs: HostPrograms, dataDir: string, cacheDirectory: string) {
    const settings = npmSettings();
    this.#jailer = new Jailer({
      deno: denoBinary(),
      nsenter: programs.nsenter!,
      unshare: process.getuid?.() === 0 ? null : programs.unshare,
      root: join(dataDir, 'cache', 'build-root'),
      visible: [
        { from: cacheDirectory, to: buildPaths.cache, writable: true },
        // As it may be read: with a user of its own a build learns no token that is the server's alone.
        ...(settings ? [{ from: settings, to: `${buildPaths.home}/.npmrc` }] : []),
      ],
      hidden: [dataDir, repositoryRoot],
      trees: realpathSync(tmpdir()),
    });
  }

  /**
   * A jail in which `tree`, a directory in the temporary one, is the code.
   * @throws Error when the host cannot make one
   */
  async make(tree: string, uid: number | null, hosts: BuildHosts): Promise<Jail> {
    clearTimeout(this.#timer);
    this.#inUse += 1;
    const { ports } = new DeclaredHosts(hosts.allowed);
    const order = {
      uid: uid ?? 0,
      diskBytes: limits.temporaryBytes,
      fileCount: limits.temporaryFiles,
      ports: [...new Set([nameServerPort, proxyPort, ...ports])],
      tree: basename(tree),
    };
    try {
      // Somebody may have killed the jailer while it was idle.
      return await this.#jailer.make(order).catch(() => this.#jailer.make(order));
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  remove(jail: Jail): void {
    jail.remove();
    this.#release();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#jailer.close();
  }

  #release(): void {
    this.#inUse -= 1;
    if (this.#inUse > 0) return;
    this.#timer = setTimeout(() => void this.close(), limits.idleJailerMs).unref();
  }
}

/** The only way out of a build's jail. @param onRefused is told in a sentence */
export function openBuildEgress(
  jail: Jail,
  hosts: BuildHosts,
  proxies: Proxies,
  onRefused: (sentence: string) => void,
): Egress {
  const declared = new DeclaredHosts(hosts.allowed);
  const accept = proxyDoor(proxies, (host, port) => declared.permits(host, port));
  const egress = new Egress(
    {
      allowedHosts: hosts.allowed,
      privateHosts: hosts.private,
      // What is otherwise the API: taken by this process, whatever it leads to.
      api: { host: proxyHost, port: proxyPort, accept },
      onCarried: () => {},
      onRefused: (destination, why) =>
        onRefused(
          `A connection to ${destination} was refused: ${why === notDeclared ? 'the operator can allow it with GALLEY_PACKAGE_HOSTS' : why}.`,
        ),
    },
    jail,
  );
  egress.listen();
  return egress;
}

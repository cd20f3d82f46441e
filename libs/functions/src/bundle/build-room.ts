import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '#libs/platform';
import type { Cgroup, Cgroups } from '../runtime/cgroups.js';
import { privileges } from '../runtime/confined-command.js';
import { denoBinary } from '../runtime/deno-binary.js';
import type { HostPrograms } from '../runtime/host-programs.js';
import { jailPaths, type Jail } from '../runtime/jail/jailer.js';
import { importArgument, type BuildNetwork } from './build-hosts.js';
import { buildPaths } from './build-jails.js';
import { proxyHost, proxyPort, type Proxies } from './build-proxy.js';
import { bundleLimits as limits } from './bundle-limits.js';
import { filteredTool } from './filtered-tool.js';
import { npmRegistry } from './npm-registry.js';

const execute = promisify(execFile);

/** Where Deno's tools run for one build: how they are started, and what they see. */
export interface BuildRoom {
  /** The source tree and Deno's cache, as the tools see them. */
  readonly sources: string;
  readonly cache: string;
  /** Where they are started. */
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** For the tools that fetch modules. */
  readonly importArgument: string;
  /** The command that runs `deno` with `args`; it may wait for a line of standard input before. */
  command(args: readonly string[]): [program: string, args: string[]];
  /** Gives the source tree to the user that the tools run as. */
  handOver(): Promise<void>;
  /** For a process and its children, where control groups can be written. */
  makeGroup(): Cgroup | null;
  /** False when what keeps the room is gone. */
  isThere(): boolean;
  close(): void;
}

/** How processes of builds are confined on this host. */
export interface BuildConfinement {
  readonly programs: HostPrograms;
  /** Null: the server's own user. */
  readonly uid: number | null;
  readonly cgroups: Cgroups | null;
  /** System calls that are left; null: all. */
  readonly filter: Buffer | null;
  readonly cacheDirectory: string;
}

/** A room that has no walls but those of its user. */
export async function openRoom(
  confinement: BuildConfinement,
  tree: string,
  network: BuildNetwork,
): Promise<BuildRoom> {
  const { programs, uid, cacheDirectory } = confinement;
  const { prlimit, setpriv } = programs;
  const prefix = [
    ...(prlimit ? [prlimit, ...resourceLimits(uid !== null)] : []),
    ...(setpriv ? [setpriv, ...privileges(uid)] : []),
  ];
  return {
    ...common(confinement, tree, network),
    sources: tree,
    cache: cacheDirectory,
    workingDirectory: tree,
    environment: { ...inheritedEnvironment(), ...(await toolEnvironment(cacheDirectory)) },
    command: (args) => split([...waiting(confinement), ...prefix, ...tool(confinement, denoBinary(), args)]),
    isThere: () => true,
    close: () => {},
  };
}

/**
 * A room in a jail, whose processes see no others: the first of each step is the first of a namespace of processes, and
 * all others end with it.
 */
export async function jailRoom(
  confinement: BuildConfinement,
  tree: string,
  network: BuildNetwork,
  { jail, proxies, close }: { jail: Jail; proxies: Proxies; close(): void },
): Promise<BuildRoom> {
  const { uid, programs } = confinement;
  const { nsenter, prlimit, setpriv, unshare } = programs as Record<keyof HostPrograms, string>;
  const steps = [
    [nsenter, ...jail.enter],
    [prlimit, ...resourceLimits(uid !== null)],
    // Who waits for the namespace to end must end with us as well.
    [setpriv, '--pdeathsig', 'KILL'],
    [unshare, '--pid', '--fork', '--kill-child', `--wd=${jailPaths.code}`],
    [setpriv, ...privileges(uid, true)],
  ];
  const prefix = [...waiting(confinement), ...steps.flat()];
  const { LANG, LC_ALL, TZ, NO_PROXY } = inheritedEnvironment();
  const door = `http://${proxyHost}:${proxyPort}`;
  const environment = {
    ...(await toolEnvironment(buildPaths.cache)),
    PATH: '/usr/bin:/bin',
    HOME: buildPaths.home,
    ...(LANG && { LANG }),
    ...(LC_ALL && { LC_ALL }),
    ...(TZ && { TZ }),
    ...(NO_PROXY && { NO_PROXY }),
    ...(proxies.http && { HTTP_PROXY: door }),
    ...(proxies.https && { HTTPS_PROXY: door }),
  };
  return {
    ...common(confinement, tree, network),
    sources: jailPaths.code,
    cache: buildPaths.cache,
    workingDirectory: '/',
    environment,
    command: (args) => split([...prefix, ...tool(confinement, jailPaths.deno, args)]),
    isThere: () => jail.isKept(),
    close,
  };
}

function common({ uid, cgroups }: BuildConfinement, tree: string, network: BuildNetwork) {
  const name = tree.slice(tree.lastIndexOf('/') + 1);
  return {
    importArgument: importArgument(network),
    handOver: () => giveTo(uid, tree),
    makeGroup: () => cgroups?.make(name, limits.memoryMegabytes * 1024 * 1024) ?? null,
  };
}

/** Root without its capabilities is a user like others: what it is to write must be its own. */
export async function giveTo(uid: number | null, directory: string): Promise<void> {
  if (process.getuid?.() === 0) await execute('chown', ['-R', `${uid ?? 0}:${uid ?? 0}`, directory]);
}

/** What is started by a process that is not bounded yet would not be either. */
function waiting({ cgroups }: BuildConfinement): string[] {
  return cgroups ? ['/bin/sh', '-c', 'read -r _ && exec "$@"', 'sh'] : [];
}

function tool({ filter }: BuildConfinement, deno: string, args: readonly string[]): string[] {
  return [deno, ...(filter ? filteredTool(filter, [deno, ...args]) : args)];
}

function split([program, ...args]: readonly string[]): [program: string, args: string[]] {
  return [program!, args];
}

async function toolEnvironment(cache: string): Promise<Record<string, string>> {
  const registry = await npmRegistry();
  return {
    ...(registry && { NPM_CONFIG_REGISTRY: registry }),
    DENO_DIR: cache,
    DENO_NO_UPDATE_CHECK: '1',
    // A function's package.json would bring node_modules, and with it packages' install scripts.
    DENO_NO_PACKAGE_JSON: '1',
    // Registries behind a company's own certificate authority.
    DENO_TLS_CA_STORE: 'mozilla,system',
    NO_COLOR: '1',
  };
}

/** V8 reserves 512 MiB of `data` for code before it has allocated anything. */
function resourceLimits(ownUser: boolean): string[] {
  return [
    `--data=${(512 + limits.memoryMegabytes) * 1024 * 1024}`,
    `--fsize=${limits.fileBytes}`,
    `--nofile=${limits.openFiles}`,
    '--core=0',
    // Counted per user, so it would count the server's own threads if they shared one.
    ...(ownUser ? [`--nproc=${limits.threads}`] : []),
  ];
}

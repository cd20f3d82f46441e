import { execFile } from 'node:child_process';
import { lstat, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '#libs/platform';
import { Cgroups } from '../runtime/cgroups.js';
import { findHostPrograms, type HostPrograms } from '../runtime/host-programs.js';
import { ownName } from '../runtime/run-directory.js';
import { buildHosts, type BuildHosts, type BuildNetwork } from './build-hosts.js';
import { BuildJails, openBuildEgress } from './build-jails.js';
import { proxiesIn, type Proxies } from './build-proxy.js';
import { giveTo, jailRoom, openRoom, type BuildConfinement, type BuildRoom } from './build-room.js';
import { bundleLimits as limits } from './bundle-limits.js';
import { canFilterSystemCalls, seccompFilter } from '../runtime/seccomp-filter.js';
import { noRoom } from './deno-tool.js';

const execute = promisify(execFile);

/**
 * The user that builds run as where the server is root: of the ids that systemd's table leaves unused, 65520–65533,
 * one that lies within the 65536 ids which containers usually map. No function runs as it.
 */
export const buildUid = 65_533;

/**
 * How Deno's tools are started on this host. Nothing of a function is executed while it is built, but its sources are
 * read by a compiler: one that was led astray finds itself without privileges, without the server's files, bounded, and
 * where the host allows namespaces in a jail, like a function.
 */
interface BuildSandbox {
  /** @param tree a directory in the temporary one */
  open(tree: string, network: BuildNetwork, log: (line: string) => void): Promise<BuildRoom>;
  close(): Promise<void>;
}

const known = new Map<string, Promise<BuildSandbox>>();

/** Deno's cache of packages and remote modules, shared by all bundles of this host. */
function denoCacheDirectory(dataDir: string): string {
  return join(dataDir, 'cache', 'deno');
}

/**
 * The strongest that works on this host, found out once, by trying.
 * @param namespaces false: do without, as on a host that does not allow them
 */
export function buildSandbox(dataDir: string, namespaces: boolean): Promise<BuildSandbox> {
  const key = `${dataDir} ${namespaces}`;
  let sandbox = known.get(key);
  if (!sandbox) {
    sandbox = detect(dataDir, namespaces);
    known.set(key, sandbox);
    sandbox.catch(() => known.delete(key));
  }
  return sandbox;
}

/** To be called when no build runs any more. */
export async function closeBuildSandboxes(): Promise<void> {
  const sandboxes = [...known.values()];
  known.clear();
  for (const sandbox of await Promise.allSettled(sandboxes)) {
    if (sandbox.status === 'fulfilled') await sandbox.value.close();
  }
}

async function detect(dataDir: string, namespaces: boolean): Promise<BuildSandbox> {
  const cacheDirectory = denoCacheDirectory(dataDir);
  await mkdir(cacheDirectory, { recursive: true });
  const programs = findHostPrograms();
  const isRoot = process.getuid?.() === 0;
  const none: HostPrograms = { setpriv: null, prlimit: null, nsenter: null, unshare: null };
  const canJail = namespaces && Object.values(programs).every((path) => path !== null);
  const canSeparate = programs.setpriv !== null && isRoot;
  const all = { programs, uid: buildUid, cgroups: null, cacheDirectory };
  const filter = canFilterSystemCalls() ? seccompFilter('tool') : null;
  const ways = [{ ...all, filter }, ...(filter ? [{ ...all, filter: null }] : [])];
  const own = ways.map((way) => ({ ...way, uid: null }));
  const candidates = [
    ...(canJail ? (isRoot ? ways : own).map((way) => () => jailed(way, dataDir)) : []),
    ...[...(canSeparate ? ways : []), ...own].map((way) => () => open(way)),
  ];
  for (const make of candidates) {
    const candidate = make();
    if (await works(candidate)) return candidate;
    await candidate.close();
  }
  return open({ ...all, uid: null, programs: none, filter: null });
}

function open(confinement: BuildConfinement): Candidate {
  return {
    confinement,
    open: async (tree, network, log) => {
      log('This host allows builds no namespaces: they are kept in by their user and limits alone');
      return openRoom(confinement, tree, network);
    },
    close: () => Promise.resolve(),
  };
}

function jailed(without: BuildConfinement, dataDir: string): Candidate {
  const cgroups = without.uid === null ? null : Cgroups.detect(ownName(), limits.threads);
  const confinement = { ...without, cgroups };
  const jails = new BuildJails(confinement.programs, dataDir, confinement.cacheDirectory);
  return {
    confinement,
    open: async (tree, network, log) => {
      const hosts = await buildHosts(network);
      const proxies = proxiesIn(inheritedEnvironment());
      if (hosts && proxies) {
        log(`Building in a jail${confinement.filter ? '' : ', of which system calls are not filtered'}`);
        return openJail({ confinement, jails, tree, network, hosts, proxies, log });
      }
      const why = hosts ? 'the proxy of this host is not for HTTP' : 'npm is not there to tell its registry';
      log(`Building without a jail, since ${why}`);
      return openRoom(confinement, tree, network);
    },
    close: async () => {
      await jails.close();
      cgroups?.close();
    },
  };
}

async function openJail(options: {
  confinement: BuildConfinement;
  jails: BuildJails;
  tree: string;
  network: BuildNetwork;
  hosts: BuildHosts;
  proxies: Proxies;
  log: (line: string) => void;
}): Promise<BuildRoom> {
  const { confinement, jails, tree, network, hosts, proxies, log } = options;
  const jail = await jails.make(tree, confinement.uid, hosts).catch((cause: unknown) => {
    throw noRoom(cause);
  });
  const egress = openBuildEgress(jail, hosts, proxies, log);
  const close = () => {
    egress.close();
    jails.remove(jail);
  };
  return jailRoom(confinement, tree, network, { jail, proxies, close });
}

interface Candidate extends BuildSandbox {
  readonly confinement: BuildConfinement;
}

/** Whether Deno starts that way, reads the sources, and reaches what it must write: its cache, and temporary files. */
async function works({ confinement, open: openOne }: Candidate): Promise<boolean> {
  const { uid, cacheDirectory } = confinement;
  const scratch = await realpath(await mkdtemp(join(tmpdir(), 'galley-probe-')));
  let room: BuildRoom | undefined;
  try {
    if ((await lstat(cacheDirectory)).uid !== (uid ?? process.getuid?.())) await giveTo(uid, cacheDirectory);
    room = await openOne(scratch, {}, () => {});
    await room.handOver();
    const code = `Deno.readDirSync('.').next();
      for (const dir of [undefined, Deno.env.get('DENO_DIR')]) Deno.removeSync(Deno.makeTempFileSync({ dir }));`;
    const [program, args] = room.command(['eval', '--no-config', '--no-lock', code]);
    const options = { cwd: room.workingDirectory, env: room.environment, timeout: limits.probeTimeoutMs };
    const probe = execute(program, args, options);
    probe.child.stdin!.end('\n');
    await probe;
    return true;
  } catch {
    return false;
  } finally {
    room?.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

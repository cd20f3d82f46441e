import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { denoBinary } from './deno-binary.js';
import { confineSource } from './loader/confine.js';
import { seccompFilter } from './seccomp-filter.js';

const [notPermitted, notImplemented, familyNotSupported] = [1, 38, 97];
/** SIGCHLD, and flags of clone(2). */
const fork = 17;
const [newUser, newNetwork, newMounts] = [0x1000_0000, 0x4000_0000, 0x2_0000];

/** Calls that are harmless should they succeed: by number on x86-64 and arm64, with their first two arguments. */
const refused: [
  what: string,
  numbers: [number | null, number],
  first: number,
  second: number,
  errno: number,
][] = [
  ['execve', [59, 221], 0, 0, notPermitted],
  ['execveat', [322, 281], -1, 0, notPermitted],
  ['fork', [57, 220], fork, 0, notPermitted],
  ['vfork', [58, 220], fork, 0, notPermitted],
  ['clone of a process', [56, 220], fork, 0, notPermitted],
  ['clone into a new user namespace', [56, 220], newUser | fork, 0, notPermitted],
  ['clone into a new network namespace', [56, 220], newNetwork | fork, 0, notPermitted],
  ['clone into a new mount namespace', [56, 220], newMounts | fork, 0, notPermitted],
  ['clone3', [435, 435], 0, 0, notImplemented],
  ['ptrace', [101, 117], 0xffff, -1, notPermitted],
  ['process_vm_readv', [310, 270], -1, 0, notPermitted],
  ['pidfd_open', [434, 434], -1, 0, notPermitted],
  ['pidfd_getfd', [438, 438], -1, -1, notPermitted],
  ['kill', [62, 129], 0x7fff_ffff, 0, notPermitted],
  ['tkill', [200, 130], 0x7fff_ffff, 0, notPermitted],
  ['a signal to another process', [234, 131], 0x7fff_ffff, 0x7fff_ffff, notPermitted],
  ['limits of another process', [302, 261], 0x7fff_ffff, 7, notPermitted],
  ['the priority of a process', [141, 140], 0, 0x7fff_ffff, notPermitted],
  ['the processors of a process', [203, 122], 0x7fff_ffff, 0, notPermitted],
  ['signals of a file to a process', [72, 25], -1, 8, notPermitted],
  ['signals of a file other than SIGIO', [72, 25], -1, 10, notPermitted],
  ['signals of a file to a thread', [72, 25], -1, 15, notPermitted],
  ['signals of a socket to a process', [16, 29], -1, 0x8901, notPermitted],
  ['urgent signals of a socket', [16, 29], -1, 0x8902, notPermitted],
  ['unshare', [272, 97], 0, 0, notPermitted],
  ['setns', [308, 268], -1, 0, notPermitted],
  ['mount', [165, 40], 0, 0, notPermitted],
  ['umount2', [166, 39], 0, 0, notPermitted],
  ['move_mount', [429, 429], -1, 0, notPermitted],
  ['fsopen', [430, 430], 0, 0, notPermitted],
  ['pivot_root', [155, 41], 0, 0, notPermitted],
  ['chroot', [161, 51], 0, 0, notPermitted],
  ['symlinkat', [266, 36], 0, -1, notPermitted],
  ['mknodat', [259, 33], -1, 0, notPermitted],
  ['open_by_handle_at', [304, 265], -1, 0, notPermitted],
  ['bpf', [321, 280], -1, 0, notPermitted],
  ['perf_event_open', [298, 241], 0, 0, notPermitted],
  ['userfaultfd', [323, 282], -1, 0, notPermitted],
  ['io_uring_setup', [425, 425], 0, 0, notPermitted],
  ['keyctl', [250, 219], -1, 0, notPermitted],
  ['shmget', [29, 194], 0, 0, notPermitted],
  ['semget', [64, 190], 0, 0, notPermitted],
  ['msgget', [68, 186], 0x7fff, 0, notPermitted],
  ['mq_open', [240, 180], 0, 0, notPermitted],
  ['personality', [135, 92], 0xffff_ffff, 0, notPermitted],
  ['init_module', [175, 105], 0, 0, notPermitted],
  ['kexec_load', [246, 104], 0, -1, notPermitted],
  ['a netlink socket', [41, 198], 16, 3, familyNotSupported],
  ['a packet socket', [41, 198], 17, 3, familyNotSupported],
  ['a socket to the hypervisor', [41, 198], 40, 1, familyNotSupported],
  ['a socket of the cryptographic interface', [41, 198], 38, 5, familyNotSupported],
];
/** The id of the process, which is that of its first thread as well. */
const own = 'own';
const allowed: [what: string, numbers: [number, number], first: number | 'own', second: number | 'own'][] = [
  ['tgkill of itself', [234, 131], own, own],
  ['fcntl', [72, 25], 0, 1],
  ['getpid', [39, 172], 0, 0],
  ['a TCP socket', [41, 198], 2, 1],
  ['a TCP socket of IPv6', [41, 198], 10, 1],
  ['a Unix socket', [41, 198], 1, 1],
];
const index = process.arch === 'arm64' ? 1 : 0;
const filter = seccompFilter();

/** What each call returns in a process in which the loader has installed the filter: errno, or 0 for success. */
function errnosOf(
  calls: readonly (readonly [
    string,
    readonly (number | null)[],
    number | 'own',
    number | 'own',
    ...unknown[],
  ])[],
) {
  const directory = mkdtempSync(join(tmpdir(), 'galley-seccomp-'));
  const program = join(directory, 'program.js');
  const list = calls.map(([, numbers, first, second]) => [numbers[index], first, second]);
  writeFileSync(
    program,
    `const libc = Deno.dlopen('libc.so.6', {
       syscall: { parameters: ['i64', 'i64', 'i64', 'i64'], result: 'i64' },
       __errno_location: { parameters: [], result: 'pointer' },
       memcpy: { parameters: ['buffer', 'pointer', 'usize'], result: 'pointer' },
     }).symbols;
     ${confineSource}
     function errno() {
       const bytes = new Int32Array(1);
       libc.memcpy(bytes, libc.__errno_location(), 4n);
       return bytes[0];
     }
     const errnos = ${JSON.stringify(list).replaceAll('"own"', 'Deno.pid')}.map(([number, first, second]) =>
       Number(libc.syscall(BigInt(number), BigInt(first), BigInt(second), 0n)) === -1 ? errno() : 0);
     // Threads can still be made.
     await Promise.all([1, 2, 3, 4].map(() => crypto.subtle.digest('SHA-256', new Uint8Array(1e6))));
     console.log(JSON.stringify(errnos));`,
  );
  const flags = ['run', '--quiet', '--no-prompt', '--no-config', '--no-lock', '--allow-ffi', program];
  const { stdout, stderr } = spawnSync(denoBinary(), [...flags, '', '', filter!.toString('base64')], {
    encoding: 'utf8',
    env: { DENO_DIR: join(directory, 'deno'), DENO_NO_UPDATE_CHECK: '1' },
  });
  rmSync(directory, { recursive: true });
  if (!stdout) throw new Error(stderr);
  return JSON.parse(stdout) as number[];
}

(process.platform === 'linux' && filter ? describe : describe.skip)('a process that is confined', () => {
  it('is refused the system calls that reach beyond it', () => {
    const here = refused.filter(([, numbers]) => numbers[index] !== null);
    const errnos = errnosOf(here);
    expect(here.map(([what], at) => [what, errnos[at]])).toEqual(
      here.map(([what, , , , errno]) => [what, errno]),
    );
  });

  it('keeps those that it lives by', () => {
    expect(errnosOf(allowed)).toEqual(allowed.map(() => 0));
  });
});

it('architectures without a list have no filter', () => {
  expect(seccompFilter('function', 's390x')).toBeNull();
  expect(seccompFilter('tool', 'arm64')?.length).toBeGreaterThan(0);
});

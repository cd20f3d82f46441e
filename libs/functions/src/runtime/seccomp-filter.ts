import { readFileSync } from 'node:fs';

/** Numbers by name: [x86-64, arm64]. */
type Calls = Readonly<Record<string, readonly [number | null, number | null]>>;

/**
 * System calls that neither functions nor the tools that build them have a use for, and that reach beyond the process.
 * They are what Docker's default profile refuses to a container without capabilities, and more. The rest of the sandbox
 * denies most of them already; a bug in the kernel behind one is denied here.
 */
const refused: Calls = {
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  unshare: [272, 97],
  setns: [308, 268],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  mknod: [133, null],
  mknodat: [259, 33],
  // What these make outlives the process, and is bounded by nothing.
  shmget: [29, 194],
  semget: [64, 190],
  msgget: [68, 186],
  mq_open: [240, 180],
  personality: [135, 92],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  acct: [163, 89],
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  quotactl: [179, 60],
  syslog: [103, 116],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  iopl: [172, null],
  ioperm: [173, null],
  lookup_dcookie: [212, 18],
  vhangup: [153, 58],
};

/** The same of calls that tools need which run others: they start processes, tell them to end, and link files. */
const refusedToFunctions: Calls = {
  execve: [59, 221],
  execveat: [322, 281],
  fork: [57, null],
  vfork: [58, null],
  pidfd_open: [434, 434],
  pidfd_send_signal: [424, 424],
  kill: [62, 129],
  tkill: [200, 130],
  rt_sigqueueinfo: [129, 138],
  rt_tgsigqueueinfo: [297, 240],
  // These act on any process of the same user, which without users of their own is the server, too.
  setpriority: [141, 140],
  ioprio_set: [251, 30],
  sched_setparam: [142, 118],
  sched_setscheduler: [144, 119],
  sched_setaffinity: [203, 122],
  sched_setattr: [314, 274],
  // The server goes by paths that the function may write to.
  symlink: [88, null],
  symlinkat: [266, 36],
};

/** Stands in the filter for the id of the process that installs it, which is not known before. */
export const ownProcess = 0xffff_ffff;

/** System calls that are left to a process for itself alone: the first argument that is allowed. */
const forItself: readonly { readonly numbers: readonly [number, number]; readonly allowed: number }[] = [
  // tgkill, by which abort(3) ends its own process.
  { numbers: [234, 131], allowed: ownProcess },
  // prlimit64
  { numbers: [302, 261], allowed: 0 },
];

/** Operations, by the second argument, that have the kernel send a signal to whichever process is named. */
const refusedOperations: readonly {
  readonly numbers: readonly [number, number];
  readonly operations: readonly number[];
}[] = [
  // fcntl: F_SETOWN, F_SETSIG, F_SETOWN_EX
  { numbers: [72, 25], operations: [8, 10, 15] },
  // ioctl: FIOSETOWN, SIOCSPGRP
  { numbers: [16, 29], operations: [0x8901, 0x8902] },
];

interface Architecture {
  readonly index: 0 | 1;
  /** AUDIT_ARCH_* of linux/audit.h. */
  readonly audit: number;
  readonly clone: number;
  readonly socket: number;
}

const architectures: Readonly<Record<string, Architecture>> = {
  x64: { index: 0, audit: 0xc000_003e, clone: 56, socket: 41 },
  arm64: { index: 1, audit: 0xc000_00b7, clone: 220, socket: 198 },
};
const clone3 = 435;
/** Numbers from here on are x32's, whose calls would pass by the list. */
const x32Bit = 0x4000_0000;
/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET */
const newNamespaces = 0x7e02_0000;
/** CLONE_THREAD. Another process would outlive the one that is killed. */
const newThread = 0x1_0000;

/** Instructions of the classic BPF (linux/bpf_common.h) and what a filter returns (seccomp(2)). */
const load = 0x20;
const jumpIfEqual = 0x15;
const jumpIfAtLeast = 0x35;
const jumpIfAnyBit = 0x45;
const ret = 0x06;
const allow = 0x7fff_0000;
const fail = (errno: number) => 0x0005_0000 + errno;
const killProcess = 0x8000_0000;
const errno = { notPermitted: 1, notImplemented: 38, familyNotSupported: 97 };
/** Offsets in `struct seccomp_data`; of arguments the low half, which is first on both architectures. */
const data = { number: 0, architecture: 4, firstArgument: 16, secondArgument: 24 };

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** seccomp(2): a kernel that can answer filtered calls with an error says so. */
export function canFilterSystemCalls(): boolean {
  try {
    return readFileSync('/proc/sys/kernel/seccomp/actions_avail', 'utf8').includes('errno');
  } catch {
    return false;
  }
}

/**
 * The filter as the kernel reads it, `struct sock_filter[]`; null for architectures that have none here.
 * @param whose a function's process runs no program and acts on no other process; tools do both
 */
export function seccompFilter(
  whose: 'function' | 'tool' = 'function',
  architecture: string = process.arch,
): Buffer | null {
  const known = architectures[architecture];
  if (!known) return null;
  const isTool = whose === 'tool';
  const never = Object.values(isTool ? refused : { ...refused, ...refusedToFunctions })
    .map((pair) => pair[known.index])
    .filter((number) => number !== null);
  return encode([
    [load, 0, 0, data.architecture],
    [jumpIfEqual, 1, 0, known.audit],
    [ret, 0, 0, killProcess],
    [load, 0, 0, data.number],
    [jumpIfAtLeast, 0, 1, x32Bit],
    [ret, 0, 0, fail(errno.notPermitted)],
    // Its flags are in memory, where a filter cannot look; libc then uses clone.
    [jumpIfEqual, 0, 1, clone3],
    [ret, 0, 0, fail(errno.notImplemented)],
    ...never.flatMap((number): Instruction[] => [
      [jumpIfEqual, 0, 1, number],
      [ret, 0, 0, fail(errno.notPermitted)],
    ]),
    ...(isTool ? [] : forItself).flatMap(({ numbers, allowed }): Instruction[] => [
      [jumpIfEqual, 0, 4, numbers[known.index]],
      [load, 0, 0, data.firstArgument],
      [jumpIfEqual, 1, 0, allowed],
      [ret, 0, 0, fail(errno.notPermitted)],
      [ret, 0, 0, allow],
    ]),
    ...refusedOperations.flatMap(({ numbers, operations }): Instruction[] => [
      [jumpIfEqual, 0, operations.length + 3, numbers[known.index]],
      [load, 0, 0, data.secondArgument],
      ...operations.map((operation, at): Instruction => [jumpIfEqual, operations.length - at, 0, operation]),
      [ret, 0, 0, allow],
      [ret, 0, 0, fail(errno.notPermitted)],
    ]),
    [jumpIfEqual, 0, 5, known.clone],
    [load, 0, 0, data.firstArgument],
    [jumpIfAnyBit, 1, 0, newNamespaces],
    isTool ? [jumpIfEqual, 1, 1, 0] : [jumpIfAnyBit, 1, 0, newThread],
    [ret, 0, 0, fail(errno.notPermitted)],
    [ret, 0, 0, allow],
    [jumpIfEqual, 0, 5, known.socket],
    [load, 0, 0, data.firstArgument],
    // AF_UNIX, AF_INET and AF_INET6.
    [jumpIfEqual, 3, 0, 1],
    [jumpIfEqual, 2, 0, 2],
    [jumpIfEqual, 1, 0, 10],
    [ret, 0, 0, fail(errno.familyNotSupported)],
    [ret, 0, 0, allow],
  ]);
}

function encode(instructions: readonly Instruction[]): Buffer {
  const buffer = Buffer.alloc(instructions.length * 8);
  instructions.forEach(([code, ifTrue, ifFalse, value], index) => {
    buffer.writeUInt16LE(code, index * 8);
    buffer.writeUInt8(ifTrue, index * 8 + 2);
    buffer.writeUInt8(ifFalse, index * 8 + 3);
    buffer.writeUInt32LE(value, index * 8 + 4);
  });
  return buffer;
}

import { ownProcess } from '../seccomp-filter.js';

/** Defines `installFilter(instructions)`: it holds for all threads that there are, and what comes of them. */
export const installFilterSource = `
function installFilter(instructions) {
  const values = new DataView(instructions.buffer);
  for (let at = 4; at < instructions.length; at += 8)
    if (values.getUint32(at, true) === ${ownProcess}) values.setUint32(at, Deno.pid, true);
  const { symbols } = Deno.dlopen('libc.so.6', {
    prctl: { parameters: ['i32', 'u64', 'u64', 'u64', 'u64'], result: 'i32' },
    syscall: { parameters: ['i64', 'u64', 'u64', 'buffer'], result: 'i64' },
  });
  // struct sock_fprog (seccomp(2)): how many, and where.
  const program = new Uint8Array(16);
  const view = new DataView(program.buffer);
  view.setUint16(0, instructions.length / 8, true);
  view.setBigUint64(8, BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(instructions))), true);
  const noNewPrivileges = 38;
  symbols.prctl(noNewPrivileges, 1n, 0n, 0n, 0n);
  const seccomp = Deno.build.arch === 'aarch64' ? 277n : 317n;
  const setModeFilter = 1n;
  const allThreads = 1n;
  return Number(symbols.syscall(seccomp, setModeFilter, allThreads, program)) === 0;
}
`;

/**
 * Before anything else: leaves the process the system calls of a filter, and then gives up the permission to call
 * libraries, which only this needed.
 */
export const confineSource = `
const [, nodeSocket, filter] = Deno.args;
Object.defineProperty(Deno, 'args', { value: [] });
const exit = Deno.exit;
${installFilterSource}
if (filter && !installFilter(Uint8Array.from(atob(filter), (character) => character.charCodeAt(0)))) {
  console.error('The system calls of this process could not be filtered.');
  exit(1);
}
Deno.permissions.revokeSync({ name: 'ffi' });
if (Deno.permissions.querySync({ name: 'ffi' }).state === 'granted') exit(1);
`;

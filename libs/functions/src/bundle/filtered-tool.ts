import { installFilterSource } from '../runtime/loader/confine.js';

/**
 * Arguments of `deno` by which it leaves itself the system calls of `filter` and then becomes `command`, which keeps to
 * the same: setpriv(1) of util-linux before 2.41 cannot do that. The start of one more Deno is little beside a build.
 */
export function filteredTool(filter: Buffer, command: readonly string[]): string[] {
  const program = becomeSource(filter.toString('base64'), command);
  // As TypeScript it would be compiled first, by a compiler that asks how large its stack is: in a jail nobody knows.
  return ['eval', '--ext=js', '--quiet', '--no-config', '--no-lock', '--no-remote', '--no-npm', program];
}

/** execv(3) with the environment that there is. All strings are in one buffer, which stays where it is. */
function becomeSource(filter: string, command: readonly string[]): string {
  return `${installFilterSource}
const filter = Uint8Array.from(atob('${filter}'), (character) => character.charCodeAt(0));
if (!installFilter(filter)) throw new Error('The system calls of this tool could not be filtered.');
const command = ${JSON.stringify(command)}.map((argument) => new TextEncoder().encode(argument + '\\0'));
const strings = new Uint8Array(new ArrayBuffer(command.reduce((sum, { length }) => sum + length, 0)));
const start = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(strings)));
const vector = new BigUint64Array(new ArrayBuffer(8 * (command.length + 1)));
let at = 0;
command.forEach((argument, index) => {
  strings.set(argument, at);
  vector[index] = start + BigInt(at);
  at += argument.length;
});
const { execv } = Deno.dlopen('libc.so.6', { execv: { parameters: ['buffer', 'buffer'], result: 'i32' } }).symbols;
execv(strings, new Uint8Array(vector.buffer));
throw new Error('The tool could not be started.');`;
}

/** `console` writes one marked record per call. Defines `log`, which notices are written with. */
export const consoleSource = String.raw`
const { log, error } = console;

const inspectArguments = Deno[Deno.internal]?.inspectArgs;
if (inspectArguments) {
  const record = (write, level) => (...args) =>
    write('\x1e' + level + inspectArguments(args, { colors: false }).replaceAll('\x1f', '') + '\x1f');
  console.debug = record(log, 'D');
  console.log = console.info = record(log, 'I');
  console.warn = record(error, 'W');
  console.error = record(error, 'E');
}
`;

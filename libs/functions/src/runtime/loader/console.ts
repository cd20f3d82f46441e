/**
 * `console` writes one marked record per call, with the invocation that it was called for. Defines `log`, which notices
 * are written with, and `runAs`.
 */
export const consoleSource = String.raw`
const { log, error } = console;

// Which invocation code runs for, also after its awaits and in its timers: AsyncLocalStorage without the 4 ms that
// loading node:async_hooks takes.
const { AsyncVariable, setAsyncContext } = Deno[Deno.internal]?.core ?? {};
const invocation = AsyncVariable && setAsyncContext && new AsyncVariable();

function runAs(id, work) {
  if (!invocation) return work();
  const outer = invocation.enter(id);
  try {
    return work();
  } finally {
    setAsyncContext(outer);
  }
}

function writer() {
  return (invocation?.get() ?? '') + '\x1d';
}

const inspectArguments = Deno[Deno.internal]?.inspectArgs;
if (inspectArguments) {
  const record = (write, level) => (...args) =>
    write('\x1e' + level + writer() + inspectArguments(args, { colors: false }).replaceAll('\x1f', '') + '\x1f');
  console.debug = record(log, 'D');
  console.log = console.info = record(log, 'I');
  console.warn = record(error, 'W');
  console.error = record(error, 'E');
}
`;

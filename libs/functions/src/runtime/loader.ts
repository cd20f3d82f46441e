import { bootSource } from './loader/boot.js';
import { confineSource } from './loader/confine.js';
import { consoleSource } from './loader/console.js';
import { lambdaSource } from './loader/lambda.js';
import { legacyServeSource } from './loader/legacy-serve.js';
import { lifecycleSource } from './loader/lifecycle.js';
import { nodeModulesSource } from './loader/node-modules.js';
import { unloadMark } from './loader/protocol.js';
import { refusedSource } from './loader/refused.js';
import { serveSource } from './loader/serve.js';

/**
 * Standard input carries ids of invocations, one a line, of which the server asks when their handlers have ended, and
 * at last why the process will go.
 */
const inputSource = String.raw`
async function tellEnd(id) {
  // Its request may still be in the socket, or have come to nothing.
  if (!handling.has(id)) await new Promise((resolve) => setTimeout(resolve, 100));
  await handling.get(id);
  log('\x1e.' + id + '\x1f');
}

// Standard input ends when the server's process ends, however that came about.
(async () => {
  const chunk = new Uint8Array(4096);
  const decoder = new TextDecoder();
  let text = '';
  for (let length; (length = await Deno.stdin.read(chunk)) !== null; ) {
    const lines = (text + decoder.decode(chunk.subarray(0, length))).split('\n');
    text = lines.pop();
    for (const line of lines) {
      if (line.startsWith('${unloadMark}')) unload(line.slice(1));
      else tellEnd(line);
    }
  }
  exit(0);
})();
`;

/** Imports the function and serves what it exports, unless it serves by itself. */
const beginSource = String.raw`
async function begin(codeUrl) {
  await prepareNodeModules(codeUrl);
  const exported = await import(codeUrl);
  if (serving) return;
  // A bundle of CommonJS exports what that exports as its default; there TypeScript puts the default beside the rest.
  const { default: main, handler = main?.handler } = exported.default?.__esModule ? exported.default : exported;
  if (typeof main?.fetch === 'function') galleyServe((request, info) => main.fetch(request, info));
  else if (typeof main === 'function') galleyServe(main);
  else if (typeof handler === 'function') galleyServe(lambdaHandler(handler));
  else {
    // Some begin to listen a little after the module is done.
    setTimeout(() => {
      if (serving) return;
      console.error('The function neither called Deno.serve nor exported a default handler or one named handler.');
      exit(1);
    }, 1000);
  }
}
`;

/**
 * The program that every instance starts with. It is JavaScript in strings because it runs in Deno, inside the
 * sandbox, and must be found in a build as well; its parts stand in `loader/`.
 *
 * It imports the function by a URL that is not a literal: Deno reads the static module graph of its entry point,
 * literal `import()` included, without asking any permission, so the function must not be part of that graph.
 * Nothing here protects the host, since the function shares the realm and may replace all of it; it only gives the
 * handler shapes, `EdgeRuntime.waitUntil`, `beforeunload` and tidy logs.
 *
 * Arguments: the run directory of the server, by which the sweep after a crash knows our processes; the path of the
 * socket for `node:http`; the filter of system calls in base64, or nothing.
 */
export const loaderSource = [
  confineSource,
  String.raw`
// Drivers of the host are no place for a function.
delete Object.getPrototypeOf(navigator).gpu;

// Each would reserve 512 MiB of address space that counts against the process's limit, and end it.
globalThis.Worker = class Worker {
  constructor() {
    throw new Error('Web Workers are not available in functions.');
  }
};
`,
  consoleSource,
  lifecycleSource,
  refusedSource,
  serveSource,
  legacyServeSource,
  lambdaSource,
  nodeModulesSource,
  beginSource,
  bootSource,
  inputSource,
].join('');

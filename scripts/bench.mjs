// `npm run bench [start|rest|rest-memory|functions|density|events|burst …]`: measures, prints, and writes bench/RESULTS.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

await prepare();
const all = {
  'schema-cache': [
    'Schema cache',
    async () => (await import('../bench/schema-cache.mjs')).benchSchemaCache(),
  ],
  start: ['Start and idle', async () => (await import('../bench/start.mjs')).benchStart()],
  rest: [
    'Data API: with JWT and row-level security',
    async () => (await import('../bench/rest.mjs')).benchRest(),
  ],
  'rest-memory': [
    'Data API: a million requests',
    async () => (await import('../bench/rest.mjs')).benchRestMemory(),
  ],
  functions: [
    'Functions: a small handler',
    async () => (await import('../bench/functions.mjs')).benchFunctions(),
  ],
  density: [
    'Functions: many, idle, and beside a loop',
    async () => (await import('../bench/density.mjs')).benchDensity(),
  ],
  events: [
    'Events: from a change to the end of its function',
    async () => (await import('../bench/events.mjs')).benchEvents(),
  ],
  burst: [
    'The story, a thousand times at once',
    async () => (await import('../bench/burst.mjs')).benchBurst(),
  ],
};
const names = process.argv.slice(2).length > 0 ? process.argv.slice(2) : Object.keys(all);
const path = join(root, 'bench', 'RESULTS.md');
const sections = readSections();
for (const name of names) {
  const [title, run] = all[name];
  console.log(`\n${title}`);
  const lines = await run();
  for (const { what, value, reach, met } of lines) {
    console.log(
      `  ${what.padEnd(62)} ${value}${reach ? `   (reach ${reach}: ${met ? 'met' : 'NOT met'})` : ''}`,
    );
  }
  sections.set(title, table(lines));
  write();
}
process.exit(0);

function table(lines) {
  const rows = lines.map(
    ({ what, value, reach, met }) =>
      `| ${what} | ${value} | ${reach ?? ''} | ${reach ? (met ? 'yes' : '**no**') : ''} |`,
  );
  return `_${new Date().toISOString().slice(0, 10)}_\n\n| what | measured | reach | met |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

/** Sections that this run does not measure stay as they were. */
function readSections() {
  const found = new Map();
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // The first run.
  }
  for (const [, title, body] of text.matchAll(/^## (.+)\n\n([\s\S]*?)(?=^## |$(?![\s\S]))/gm))
    found.set(title, body.trimEnd() + '\n');
  return found;
}

function write() {
  const machine = `${availableParallelism()} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.versions.node}`;
  const body = Object.values(all)
    .map(([title]) => title)
    .filter((title) => sections.has(title))
    .map((title) => `## ${title}\n\n${sections.get(title)}`)
    .join('\n');
  const head =
    '# Measurements\n\n`npm run bench` measures these again. Client, server, database and floor share the machine: ' +
    `${machine}.\nRatios are to the floor measured in the same run.\n\n`;
  writeFileSync(path, head + body);
}

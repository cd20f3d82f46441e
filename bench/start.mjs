// How long until Galley is ready, what it weighs when nothing happens, and how long it takes to stop.
import { setTimeout as delay } from 'node:timers/promises';
import { memoryMb, newDataDir, startGalley } from './galley-process.mjs';

/** Connections of the start are closed after 10 s without use. */
const settleMs = 15_000;
const laterStarts = 5;

export async function benchStart() {
  const dataDir = newDataDir();
  const first = await startGalley({ dataDir });
  await first.stop();
  const later = [];
  const stops = [];
  for (let i = 0; i < laterStarts; i++) {
    const galley = await startGalley({ dataDir });
    later.push(galley.readyMs);
    stops.push(await galley.stop());
  }
  const idle = await startGalley({ dataDir });
  await delay(settleMs);
  const idleMb = memoryMb(idle.pid);
  await idle.stop();
  idle.remove();
  const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  return [
    { what: 'first start, until ready', value: `${(first.readyMs / 1000).toFixed(2)} s` },
    {
      what: `later start, until ready (middle of ${laterStarts})`,
      value: `${(middle(later) / 1000).toFixed(2)} s`,
      reach: '≤ 2 s',
      met: middle(later) <= 2000,
    },
    {
      what: 'stop (middle)',
      value: `${(middle(stops) / 1000).toFixed(2)} s`,
      reach: '≤ 2 s',
      met: middle(stops) <= 2000,
    },
    {
      what: 'memory of all processes when idle (PSS)',
      value: `${idleMb.toFixed(0)} MB`,
      reach: '≤ 300 MB',
      met: idleMb <= 300,
    },
  ];
}

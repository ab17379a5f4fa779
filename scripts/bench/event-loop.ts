/**
 * Longest piece of work on the caller's event loop in each stage of a job, in milliseconds of computing:
 *
 *   node --import=tsx scripts/bench/event-loop.ts [--runs N]
 *
 * What else runs on the machine does not count where the system tells how long a thread has computed, as Linux does.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { animate, type ProgressEvent } from '../../src/index.ts';

/** Milliseconds between two looks. */
const LOOK_INTERVAL = 2;
/** What the project aims at: longer, and animations in the caller's program would be seen to stand still. */
const AIM_MS = 50;
const ASSETS = fileURLToPath(new URL('../../assets/', import.meta.url));

const { values } = parseArgs({ options: { runs: { type: 'string', default: '3' } } });
const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-event-loop-'));
try {
  // What another program adds is not at the same place every time: the least of all runs counts.
  const stalls = new Map<string, number>();
  for (let i = 0; i < Number(values.runs); i++) {
    const job = {
      portrait: path.join(ASSETS, 'portraits/ada.jpg'),
      audio: path.join(ASSETS, 'speech/short.wav'),
      output: path.join(folder, 'talk.mp4'),
      overwrite: true,
    };
    for (const [stage, stall] of await measureStalls((onProgress) => animate({ ...job, onProgress })))
      stalls.set(stage, Math.min(stall, stalls.get(stage) ?? stall));
  }
  for (const [stage, stall] of stalls)
    console.log(
      `${stage.padEnd(8)} ${stall.toFixed(1).padStart(7)} ms${stall > AIM_MS ? `  more than ${AIM_MS}` : ''}`,
    );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Milliseconds that this process's main thread has computed, which a busy machine does not change; Linux tells. */
function computingTime(): number | undefined {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[0]) / 1e6;
  } catch {
    return undefined;
  }
}

/** Longest piece of work on the event loop in each stage of a job, in milliseconds. */
async function measureStalls(
  runJob: (onProgress: (event: ProgressEvent) => void) => Promise<unknown>,
): Promise<Map<string, number>> {
  const now = () => computingTime() ?? performance.now();
  const stalls = new Map<string, number>();
  let stage = 'begin';
  let last = now();
  const look = () => {
    const time = now();
    stalls.set(stage, Math.max(time - last, stalls.get(stage) ?? 0));
    last = time;
  };
  const timer = setInterval(look, LOOK_INTERVAL);
  try {
    await runJob((event) => {
      if (event.type !== 'stage') return;
      look();
      stage = event.stage;
    });
    await sleep(2 * LOOK_INTERVAL); // a stall is counted at the look after it
    look();
  } finally {
    clearInterval(timer);
  }
  return stalls;
}

/**
 * Compares what --dry-run says of a clip with what rendering it takes, and fails where memory is off by more than 15 % or time by
 * more than 25 %: the processor's, and from begin to end on a machine that the dry run found idle. For Linux, which tells a
 * process's peak.
 *
 *   node --import=tsx scripts/bench/check-estimates.ts [--output FILE.md] [-- FLAGS OF animate]
 *
 * Without flags, the sample clip with the embedded bundle.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compileTests } from '../lib/compile-tests.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { writeReport } from '../lib/write-report.ts';

/** How far an estimate may be off, of what was measured. */
const MEMORY_TOLERANCE = 0.15;
const TIME_TOLERANCE = 0.25;
/** The kernel keeps the peak until the process has ended; it is read this often. */
const READ_EVERY_MS = 200;
const SAMPLE = ['--portrait', 'assets/portraits/ada.jpg', '--audio', 'assets/speech/welcome.wav'];

const { values, positionals } = parseArgs({
  options: { output: { type: 'string' } },
  allowPositionals: true,
});
const clip = positionals.length === 0 ? SAMPLE : positionals;

interface Run {
  readonly seconds: number;
  readonly peakBytes: number;
  /** Of the program and of ffmpeg. */
  readonly processorSeconds: number;
  readonly events: readonly Record<string, unknown>[];
}

/** The peak of a process, or what is known of it. */
function peakOf({ pid }: ChildProcess, known: number): number {
  try {
    const found = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmHWM:\s+(\d+) kB/m);
    return found ? 1024 * Number(found[1]) : known;
  } catch {
    return known;
  }
}

/** The clock that counts a process's time: ticks a second, on every Linux that Node runs on. */
const TICKS = 100;

/** Seconds that a process has computed, with those of its children that have ended; or what is known of them. */
function processorOf({ pid }: ChildProcess, known: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    // utime, stime, cutime, cstime: fields 14 to 17, counted from the process's number.
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
  } catch {
    return known;
  }
}

/** Runs `animate` with these flags. */
async function animate(flags: readonly string[]): Promise<Run> {
  const args = [path.join(tree, 'src/cli/main.js'), 'animate', ...flags, '--json'];
  const begin = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let peakBytes = 0;
  let processorSeconds = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const timer = setInterval(() => {
    peakBytes = peakOf(child, peakBytes);
    processorSeconds = Math.max(processorSeconds, processorOf(child, processorSeconds));
  }, READ_EVERY_MS);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`animate ended with status ${code}`);
  const events = text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { seconds: (performance.now() - begin) / 1000, peakBytes, processorSeconds, events };
}

/** The program as users run it: translating it takes more of the processor than a short clip. */
const tree = await compileTests(fileURLToPath(new URL('../../', import.meta.url)));
const folder = await mkdtemp(path.join(tmpdir(), 'check-estimates-'));
try {
  const flags = [...clip, '--output', path.join(folder, 'clip.mp4')];
  const plan = (await animate([...flags, '--dry-run'])).events.find(
    (event) => 'estimatedMemoryBytes' in event,
  );
  if (plan === undefined) throw new Error('the dry run printed no estimate');
  const { seconds, peakBytes, processorSeconds } = await animate(flags);
  const busy = (plan.notices as readonly string[]).find((notice) => notice.startsWith('other programs'));
  const rows = [
    {
      what: 'peak memory, GB',
      estimate: Number(plan.estimatedMemoryBytes) / 1e9,
      measured: peakBytes / 1e9,
      tolerance: MEMORY_TOLERANCE,
    },
    {
      what: 'processor, s',
      estimate: Number(plan.estimatedProcessorSeconds),
      measured: processorSeconds,
      tolerance: TIME_TOLERANCE,
    },
    {
      what: 'time, s',
      estimate: Number(plan.estimatedSeconds),
      measured: seconds,
      tolerance: busy === undefined ? TIME_TOLERANCE : Infinity,
    },
  ];
  const off = (row: (typeof rows)[number]): number => row.estimate / row.measured - 1;
  await writeReport(values.output, [
    '# What --dry-run says, and what rendering takes',
    '',
    `\`${clip.join(' ')}\``,
    '',
    ...(busy === undefined ? [] : [`The dry run said: ${busy}.`, '']),
    markdownTable(
      ['', 'estimate', 'measured', 'off by', 'may be'],
      rows.map((row) => [
        row.what,
        row.estimate.toFixed(2),
        row.measured.toFixed(2),
        `${(100 * off(row)).toFixed(0)} %`,
        row.tolerance === Infinity ? 'anything: the machine was busy' : `${100 * row.tolerance} %`,
      ]),
    ),
  ]);
  if (rows.some((row) => Math.abs(off(row)) > row.tolerance)) process.exitCode = 1;
} finally {
  for (const made of [folder, tree]) await rm(made, { recursive: true, force: true });
}

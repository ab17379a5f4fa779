/**
 * Compares what --dry-run says of a clip with what rendering it takes, and fails where memory is off by more than 15 % or time by
 * more than 25 %. For Linux, which tells a process's peak.
 *
 *   node --import=tsx scripts/bench/check-estimates.ts [--output FILE.md] [-- FLAGS OF animate]
 *
 * Without flags, the sample clip with the embedded bundle; time is compared fairly on a machine that does nothing else.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
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

/** Runs `animate` with these flags. */
async function animate(flags: readonly string[]): Promise<Run> {
  const args = ['--import=tsx', 'src/cli/main.ts', 'animate', ...flags, '--json'];
  const begin = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let peakBytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const timer = setInterval(() => {
    peakBytes = peakOf(child, peakBytes);
  }, READ_EVERY_MS);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`animate ended with status ${code}`);
  const events = text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { seconds: (performance.now() - begin) / 1000, peakBytes, events };
}

const folder = await mkdtemp(path.join(tmpdir(), 'check-estimates-'));
try {
  const flags = [...clip, '--output', path.join(folder, 'clip.mp4')];
  const plan = (await animate([...flags, '--dry-run'])).events.find(
    (event) => 'estimatedMemoryBytes' in event,
  );
  if (plan === undefined) throw new Error('the dry run printed no estimate');
  const { seconds, peakBytes } = await animate(flags);
  const rows = [
    {
      what: 'peak memory, GB',
      estimate: Number(plan.estimatedMemoryBytes) / 1e9,
      measured: peakBytes / 1e9,
      tolerance: MEMORY_TOLERANCE,
    },
    {
      what: 'time, s',
      estimate: Number(plan.estimatedSeconds),
      measured: seconds,
      tolerance: TIME_TOLERANCE,
    },
  ];
  const off = (row: (typeof rows)[number]): number => row.estimate / row.measured - 1;
  await writeReport(values.output, [
    '# What --dry-run says, and what rendering takes',
    '',
    `\`${clip.join(' ')}\``,
    '',
    markdownTable(
      ['', 'estimate', 'measured', 'off by', 'may be'],
      rows.map((row) => [
        row.what,
        row.estimate.toFixed(2),
        row.measured.toFixed(2),
        `${(100 * off(row)).toFixed(0)} %`,
        `${100 * row.tolerance} %`,
      ]),
    ),
  ]);
  if (rows.some((row) => Math.abs(off(row)) > row.tolerance)) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

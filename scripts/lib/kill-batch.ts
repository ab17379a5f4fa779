/** Batches that are killed at random moments, for scripts/dev/kill-test.ts and the test of the whole program. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { saveImage } from '../../src/image/encode-image.ts';
import { loadImage } from '../../src/image/load-image.ts';
import { resizeImage } from '../../src/image/resize.ts';
import type { BatchReport } from '../../src/jobs/batch-events.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { childrenOf, isRunning } from './processes.ts';
import { encodeWav } from './wav.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** How long a child of a killed process may take to notice, on a machine that is busy with other work. */
const ORPHAN_MS = 60_000;
const SAMPLE_RATE = 16_000;
/** Pixels: small pictures take less time to warp. */
const PORTRAIT_SIDE = 288;

/** Options of {@link runKillTest}. */
export interface KillTestOptions {
  readonly kills: number;
  readonly seed: number;
  readonly log: (line: string) => void;
  /** The command line's first words. @defaultValue the built program */
  readonly program?: readonly string[];
  /** Clips in a batch, 1 to 3. @defaultValue 2 */
  readonly clips?: number;
}

/** What was counted. */
export interface KillTestOutcome {
  kills: number;
  rounds: number;
  readonly jobs: number;
  readonly windows: number;
  wrongFiles: number;
  missing: number;
  leftovers: number;
  doubled: number;
  errors: number;
  orphans: number;
  resumes: number;
  readonly killsByPhase: Record<string, number>;
}

/** Two windows of 12 frames that overlap, two steps each: quick, with states in flight between windows. */
const MANIFEST = (portraits: readonly string[]) =>
  `defaults: {framing: crop, steps: 2, fps: 16, audio: speech.wav, output: 'out/{portrait}.mp4'}
jobs:
${portraits.map((name) => `  - {portrait: ${name}}\n`).join('')}`;

/** Runs rounds until there were enough kills. */
export async function runKillTest(options: KillTestOptions): Promise<KillTestOutcome> {
  const { kills, seed, log, clips = 2 } = options;
  const program = options.program ?? [path.join(ROOT, 'dist/cli/main.js')];
  const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-kill-'));
  const random = new RandomStream([seed]);
  try {
    const inputs = path.join(folder, 'inputs');
    await makeInputs(inputs, clips);
    const reference = path.join(folder, 'reference');
    cpSync(inputs, reference, { recursive: true });
    const begin = performance.now();
    const undisturbed = await runBatch(program, reference).ended;
    if (undisturbed.status !== 0) throw new Error(`the undisturbed batch failed: ${undisturbed.stderr}`);
    let lifetime = performance.now() - begin;
    const expected = hashes(path.join(reference, 'out'));
    log(`undisturbed: ${expected.size} videos in ${(lifetime / 1000).toFixed(1)} s`);

    const outcome: KillTestOutcome = {
      kills: 0,
      rounds: 0,
      jobs: clips,
      windows: 2,
      wrongFiles: 0,
      missing: 0,
      leftovers: 0,
      doubled: 0,
      errors: 0,
      orphans: 0,
      resumes: 0,
      killsByPhase: {},
    };
    while (outcome.kills < kills) {
      outcome.rounds += 1;
      const work = path.join(folder, `round-${outcome.rounds}`);
      cpSync(inputs, work, { recursive: true });
      for (;;) {
        const since = performance.now();
        const batch = runBatch(program, work);
        // Uniform over a batch's life from beginning to end; what is left of this one may be shorter.
        const moment =
          outcome.kills < kills ? sleep(random.uniform() * lifetime) : new Promise<never>(() => {});
        const ended = await Promise.race([batch.ended, moment]);
        if (ended === undefined && batch.child.exitCode === null) {
          const children = childrenOf(batch.child.pid!);
          batch.child.kill('SIGKILL');
          await batch.ended;
          outcome.kills += 1;
          const phase = batch.phase();
          outcome.killsByPhase[phase] = (outcome.killsByPhase[phase] ?? 0) + 1;
          outcome.orphans += await countOrphans(children);
        } else {
          const { status, stderr } = await batch.ended;
          if (status !== 0) {
            outcome.errors += 1;
            log(`exit status ${status}: ${stderr}`);
          }
        }
        outcome.resumes += batch.resumed() ? 1 : 0;
        outcome.wrongFiles += countWrong(path.join(work, 'out'), expected);
        if (ended !== undefined || batch.child.signalCode === null) {
          lifetime = Math.max(lifetime * 0.9, Math.min(lifetime * 1.5, performance.now() - since));
          break;
        }
      }
      await checkRound(program, work, expected, outcome, log);
      rmSync(work, { recursive: true, force: true });
      log(`round ${outcome.rounds}: ${outcome.kills} kills, ${outcome.resumes} starts from checkpoints`);
    }
    return outcome;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** After a completed batch: all videos, once, nothing else, and nothing left to do. */
async function checkRound(
  program: readonly string[],
  work: string,
  expected: ReadonlyMap<string, string>,
  outcome: KillTestOutcome,
  log: (line: string) => void,
): Promise<void> {
  const found = hashes(path.join(work, 'out'));
  for (const name of expected.keys()) if (!found.has(name)) outcome.missing += 1;
  const names = readdirSync(path.join(work, 'out')); // hidden ones, too
  const tooMany = names.filter((name) => !expected.has(name));
  const jobs = path.join(work, '.lcm-portrait/jobs');
  for (const job of readdirSync(jobs)) {
    tooMany.push(...readdirSync(path.join(jobs, job)).filter((name) => name !== 'record.json'));
  }
  outcome.leftovers += tooMany.length;
  for (const name of tooMany) log(`left over: ${name}`);
  const { status, report } = await runBatch(program, work).ended;
  if (status !== 0 || report === undefined) outcome.errors += 1;
  else outcome.doubled += report.jobs.filter(({ reused }) => !reused).length;
}

async function makeInputs(folder: string, clips: number): Promise<void> {
  mkdirSync(folder);
  const portraits = ['ada.jpg', 'ben.jpg', 'cleo.jpg'].slice(0, clips);
  for (const name of portraits) {
    const picture = await loadImage(path.join(ROOT, 'assets/portraits', name));
    await saveImage(path.join(folder, name), resizeImage(picture, PORTRAIT_SIDE, PORTRAIT_SIDE, 'area'));
  }
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const { pcm } = await readAudio(path.join(ROOT, 'assets/speech/welcome.wav'), {
    ffmpeg,
    sampleRate: SAMPLE_RATE,
  });
  writeFileSync(path.join(folder, 'speech.wav'), encodeWav(pcm.slice(0, 1.1 * SAMPLE_RATE), SAMPLE_RATE));
  writeFileSync(path.join(folder, 'jobs.yaml'), MANIFEST(portraits));
}

interface EndedBatch {
  readonly status: number | null;
  readonly stderr: string;
  readonly report: BatchReport | undefined;
}

/** Starts a batch on one thread; a machine has room for several then. */
function runBatch(program: readonly string[], folder: string) {
  const child: ChildProcess = spawn(
    process.execPath,
    [...program, 'batch', path.join(folder, 'jobs.yaml'), '--json', '--threads', '1'],
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT },
  );
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const events = () =>
    stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  const ended = new Promise<EndedBatch>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      resolve({ status, stderr, report: events().findLast(({ type }) => type === 'report')?.report });
    });
  });
  return {
    child,
    ended,
    /** Whether a job has resumed from checkpoints. */
    resumed: () => events().some(({ job }) => job?.resumedFrames > 0),
    /** What the job that was furthest was doing. */
    phase: (): string => {
      const states = new Map<number, string>();
      for (const { type, job } of events()) if (type === 'job') states.set(job.index, job.state);
      const inHand = [...states.values()];
      const order = ['rendering', 'ready', 'preparing'].filter((state) => inHand.includes(state));
      return order[0] ?? (inHand.length > 0 ? 'between jobs' : 'starting');
    },
  };
}

/** Complete files, by name; hidden ones are not under a final name. */
function hashes(folder: string): Map<string, string> {
  if (!existsSync(folder)) return new Map();
  const names = readdirSync(folder).filter((name) => !name.startsWith('.'));
  return new Map(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(path.join(folder, name)))
        .digest('hex'),
    ]),
  );
}

function countWrong(folder: string, expected: ReadonlyMap<string, string>): number {
  return [...hashes(folder)].filter(([name, hash]) => expected.get(name) !== hash).length;
}

async function countOrphans(pids: readonly number[]): Promise<number> {
  for (let waited = 0; waited < ORPHAN_MS; waited += 50) {
    if (!pids.some(isRunning)) return 0;
    await sleep(50);
  }
  return pids.filter(isRunning).length;
}

/** The main job with a clock at everything: a trace of stages, threads and operators, and tables of what they cost. */
import { rmSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MediaError } from '../errors.ts';
import { onProcessExit } from '../files/exit-cleanup.ts';
import { ownUrl } from '../files/own-file.ts';
import { partialPath } from '../files/partial-name.ts';
import { networksOf } from '../pipeline/job-networks.ts';
import type { PreparedClip } from '../pipeline/prepare-clip.ts';
import { Studio, type StudioProfiles } from '../pipeline/studio.ts';
import { Engine, type NetworkProfile } from '../runtime/engine.ts';
import { monotonicNow, type NamedSpan } from '../runtime/time-span.ts';
import { examineMachine } from './machine-facts.ts';
import { type MatrixLimit, measureMatrixLimit } from './matrix-limit.ts';
import { clockOffset, readOperatorProfile, type SessionOperators } from './operator-profile.ts';
import {
  type EngineUse,
  type NetworkOperators,
  PROFILE_SCHEMA,
  PROFILE_VERSION,
  type ProfileOptions,
  type ProfileReport,
} from './profile-options.ts';
import { openTemporaryFolder } from './temporary-folder.ts';
import { type TraceSpan, type Track, writeTrace } from './trace.ts';

const ASSETS = fileURLToPath(ownUrl('../../assets/', import.meta.url));
const SAMPLE = {
  portrait: path.join(ASSETS, 'portraits', 'ada.jpg'),
  audio: path.join(ASSETS, 'speech', 'short.wav'),
};
/** Operators of a trace, some 40 MB: more make viewers slow. All of them are in the tables. */
const MAX_OPERATORS = 200_000;
const OWN_PROCESS = 'lcm-portrait';

/**
 * Renders a clip and measures where its time went. The video is thrown away; a trace that is not complete has no name.
 *
 * @throws what {@link animate} throws before and while it renders.
 * @throws {@link MediaError} if the trace cannot be written, or a file is there and `overwrite` is not set.
 * @throws `signal.reason` if it aborts.
 * @example
 * const { networks } = await profile({ output: 'trace.json' });
 * networks[0]?.operators[0]; // { operator: 'Conv', shapes: '12x64x32x32 64x64x3x3 64 → 12x64x32x32', calls: 208, … }
 */
export async function profile(options: ProfileOptions): Promise<ProfileReport> {
  const { output, overwrite = false, signal, onProgress, device = 'auto', threads, ...clip } = options;
  signal?.throwIfAborted();
  await assertWritable(output, overwrite);
  const folder = await openTemporaryFolder('profile');
  const notes: string[] = [];
  const report = (message: string): void => {
    notes.push(message);
    onProgress?.({ type: 'notice', message });
  };
  try {
    const engine = await Engine.open({ device, threads, onNotice: report });
    let limit: MatrixLimit;
    try {
      limit = await measureMatrixLimit(engine, engine.precision, signal);
    } finally {
      await engine.dispose();
    }
    const stages: NamedSpan[] = [];
    const studio = new Studio({
      device: engine.device,
      ...(threads !== undefined && { threads }),
      profile: { folder: folder.path, onStage: (span) => stages.push(span) },
    });
    let prepared: PreparedClip | undefined;
    try {
      const origin = monotonicNow();
      prepared = await studio.prepare(
        {
          ...SAMPLE,
          ...clip,
          output: path.join(folder.path, 'clip.mp4'),
          ...(signal !== undefined && { signal }),
          onProgress: (event) => (event.type === 'notice' ? report(event.message) : onProgress?.(event)),
        },
        networksOf,
      );
      const result = await studio.render(prepared);
      const traced = await gather(await studio.takeProfiles(), report);
      const machine = examineMachine(result.device, threads, prepared.job.ffmpeg);
      await publish(output, overwrite, [...stageTracks(stages), ...traced.tracks], {
        origin,
        facts: {
          ...machine.versions,
          processor: machine.processor,
          bundle: result.bundle,
          frames: result.frames,
        },
      });
      return {
        schema: PROFILE_SCHEMA,
        schemaVersion: PROFILE_VERSION,
        created: new Date().toISOString(),
        trace: output,
        bundle: result.bundle,
        machine,
        limit,
        frames: result.frames,
        fps: result.fps,
        sampler: result.sampler,
        steps: result.steps,
        times: result.times,
        engines: traced.engines,
        networks: traced.networks,
        notes,
      };
    } finally {
      await prepared?.dispose();
      await studio.dispose();
    }
  } finally {
    await folder.remove();
  }
}

function refuse(output: string, expected: string, got: string, cause?: unknown): MediaError {
  return new MediaError(`Cannot write trace ${output}: expected ${expected}, got ${got}`, output, { cause });
}

async function assertWritable(output: string, overwrite: boolean): Promise<void> {
  const parent = path.dirname(path.resolve(output));
  const folder = await stat(parent).catch(() => undefined);
  if (!folder?.isDirectory()) throw refuse(output, 'a folder that exists', `${parent}; create it first`);
  const existing = await stat(output).catch(() => undefined);
  if (existing?.isDirectory()) throw refuse(output, 'a file name', 'a folder');
  if (existing && !overwrite) {
    const taken = `Cannot write trace ${output}: expected a new file, got one that exists; choose another name, or set `;
    throw new MediaError([taken, { option: 'overwrite', value: true }], output);
  }
}

async function publish(
  output: string,
  overwrite: boolean,
  tracks: readonly Track[],
  options: Parameters<typeof writeTrace>[2],
): Promise<void> {
  await assertWritable(output, overwrite);
  const partial = partialPath(path.resolve(output));
  const forget = onProcessExit(() => rmSync(partial, { force: true }));
  try {
    await writeTrace(partial, tracks, options);
    await rename(partial, output);
  } catch (error) {
    throw refuse(output, 'a file that can be written', String((error as NodeJS.ErrnoException).code), error);
  } finally {
    await rm(partial, { force: true });
    forget();
  }
}

/** A row for each stage, and the encoder as the other process that it is: its life, and in it what waits for it. */
function stageTracks(stages: readonly NamedSpan[]): Track[] {
  const ofEncoder = (name: string): boolean => name === 'ffmpeg' || name === 'encode';
  const spansOf = (names: (name: string) => boolean): TraceSpan[] =>
    stages.filter(({ name }) => names(name)).map((span) => ({ ...span, category: 'stage' }));
  const names = [...new Set(stages.map(({ name }) => name))].filter((name) => !ofEncoder(name));
  return [
    ...names.map((stage) => ({
      process: OWN_PROCESS,
      name: `stage ${stage}`,
      spans: spansOf((name) => name === stage),
    })),
    { process: 'ffmpeg', name: 'encoder', spans: spansOf(ofEncoder) },
  ];
}

interface Gathered {
  readonly tracks: Track[];
  readonly engines: EngineUse[];
  readonly networks: NetworkOperators[];
}

async function gather(
  { denoising, side, frames }: StudioProfiles,
  report: (message: string) => void,
): Promise<Gathered> {
  const tracks: Track[] = [];
  const engines: EngineUse[] = [];
  const networks: NetworkOperators[] = [];
  let left = MAX_OPERATORS;
  const denoisers = denoising.map((profiles, i) => [
    `denoising engine${i === 0 ? '' : ` ${i + 1}`}`,
    profiles,
  ]);
  for (const [engine, profiles] of Object.entries<readonly NetworkProfile[]>({
    ...Object.fromEntries(denoisers),
    'side engine': side,
    'face and motion engine': frames.networks,
  })) {
    const spans: TraceSpan[] = [];
    for (const network of profiles) {
      spans.push({ ...network.load, name: `load ${network.name}`, category: 'load' });
      if (network.runs.length === 0) continue;
      const session = await readOperatorProfile(network.prefix, left);
      left -= session.operators.length;
      spans.push(...runSpans(network, session));
      networks.push(summarise(engine, network, session));
      const missing = network.runs.length - session.runs.length;
      if (missing > 0) {
        report(
          `the runtime noted no operators of the last ${missing} of ${network.runs.length} runs of ${network.name}`,
        );
      }
    }
    tracks.push({ process: OWN_PROCESS, name: engine, spans });
    const use = engineUse(engine, profiles);
    if (use !== undefined) engines.push(use);
  }
  if (left <= 0) report(`the trace shows the first ${MAX_OPERATORS} operators; the tables count all`);
  const work = frames.work.map((span) => ({ ...span, category: 'frames' }));
  tracks.push({ process: OWN_PROCESS, name: 'frame thread', spans: work });
  return { tracks, engines, networks: networks.sort((a, b) => b.seconds - a.seconds) };
}

/** Runs with their operators in them, on the caller's clock. */
function runSpans({ name, runs }: NetworkProfile, { runs: noted, operators }: SessionOperators): TraceSpan[] {
  const offset = clockOffset(noted, runs);
  const spans: TraceSpan[] = runs.map((run) => ({ ...run, name, category: 'run' }));
  let at = 0;
  for (const { name: node, operator, begin, duration, shapes } of operators) {
    while (at < noted.length - 1 && begin > noted[at]!.end) at++;
    const run = runs[at]!;
    // The runtime rounds to microseconds: an operator may seem to end just after its run.
    const within = (time: number): number => Math.min(run.end, Math.max(run.begin, time + offset));
    spans.push({
      name: operator,
      category: 'operator',
      begin: within(begin),
      end: within(begin + duration),
      args: { node, shapes },
    });
  }
  return spans;
}

const secondsOf = (runs: NetworkProfile['runs']): number =>
  runs.reduce((sum, { begin, end }) => sum + (end - begin) / 1e3, 0);

function summarise(
  engine: string,
  { name, runs }: NetworkProfile,
  { runs: noted, groups }: SessionOperators,
): NetworkOperators {
  const seconds = secondsOf(runs.slice(0, noted.length));
  const inOperators = groups.reduce((sum, group) => sum + group.seconds, 0);
  return {
    engine,
    network: name,
    runs: noted.length,
    seconds,
    between: seconds - inOperators,
    operators: groups,
  };
}

function engineUse(engine: string, profiles: readonly NetworkProfile[]): EngineUse | undefined {
  const runs = profiles.flatMap((network) => network.runs);
  if (runs.length === 0) return undefined;
  const begin = Math.min(...runs.map((run) => run.begin));
  const end = Math.max(...runs.map((run) => run.end));
  return { engine, busy: secondsOf(runs), span: (end - begin) / 1e3 };
}

/** Tells beforehand how long a job takes on this machine and how much memory. */
import type { Bundle } from '../models/bundle.ts';
import { countParameters } from '../models/weight-reader.ts';
import type { NetworkName } from '../networks/bundle-graphs.ts';
import { describeNetwork } from '../networks/network-memory.ts';
import { turnBytes } from '../networks/networks-cache.ts';
import { takesTurns } from '../networks/take-turns.ts';
import type { Engine } from '../runtime/engine.ts';
import { usableCores } from '../runtime/usable-cores.ts';
import type { PrecisionChoice } from './animate-options.ts';
import { jobMemory } from './job-memory.ts';
import { type NetworkSpeed, networkSpeed } from './time-networks.ts';

/** The program, its threads and its networks begin, once for all clips of a batch; measured with the embedded bundle. */
export const START_SECONDS = 1.4;
/** A clip's face, motion and first window, and the end of its file; see scripts/results/batch.md. */
const CLIP_SECONDS = 0.4;
/** Checking and opening what lies in the cache of weights, for each byte; see scripts/results/memory.md. */
const OPENING_SECONDS = 0.6e-9;
/** What a small bundle takes to open its networks in turns, where little memory is asked for; see scripts/results/memory.md. */
const TURNS_SECONDS = 2.25;
/** ... and how much longer its denoiser takes for frames one by one. */
const SINGLE_FRAMES = 1.8;
/** Warping, composing and encoding a frame, without the denoiser: a fixed part and one for each pixel of the video. */
const FRAME_SECONDS = 0.006;
const PIXEL_SECONDS = 13e-9;
/** What all of that takes of the processor, which has two cores for it. */
const OTHER_CORES = 2;
/** How much faster 8-bit integers make the denoiser: 1.4 to 1.7 times on two cores, see scripts/results/int8.md. */
const INTEGER_GAIN = 1.5;
/** What wide networks reach of their slice's speed, whose weights stay in caches; see scripts/results/memory.md. */
const WIDE_SHARE = 0.85;
/** A network is wide from this many channels on. */
const WIDE_CHANNELS = 256;
/** Threads of an idle machine compute for so much of their time, and wait for each other for the rest. */
const COMPUTING_SHARE = 0.9;
/** A machine is busy where a program gets less than this of the cores that it could use. */
const BUSY_SHARE = 0.7;

/** What the estimate depends on. */
export interface JobSize {
  readonly bundle: Bundle;
  readonly engine: Engine;
  readonly windowFrames: number;
  /** Of the pose guider. */
  readonly poseRuns: number;
  /** Evaluations of the denoiser. */
  readonly evaluations: number;
  /** What the denoiser computes in. @defaultValue what the engine is best at */
  readonly precision?: PrecisionChoice;
  readonly frames: number;
  /** @defaultValue all */
  readonly decodedFrames?: number | undefined;
  /** Denoisers that are open at the same time, see `countDenoisers`. @defaultValue 1 */
  readonly denoisers?: number;
  /** Of one frame of the video. */
  readonly pixels: number;
  readonly audioSamples: number;
  /** @defaultValue false */
  readonly lowMemory?: boolean | undefined;
  /** Whether the program has begun with another clip. @defaultValue false */
  readonly started?: boolean | undefined;
  /** @defaultValue what {@link networkSpeed} measures */
  readonly speed?: NetworkSpeed | undefined;
}

/** All of it is estimated. */
interface JobEstimate {
  /** From begin to end, if the machine stays as busy as it is now. */
  readonly seconds: number;
  /** Of all cores together. */
  readonly processorSeconds: number;
  readonly memoryBytes: number;
  /** A notice for the caller, where other programs take so much of the machine that the time says little about this job. */
  readonly busy?: string;
}

/** The networks of a job with how often each runs. */
function networksOf(job: JobSize) {
  const { bundle, windowFrames, poseRuns, evaluations, frames, decodedFrames = frames, precision } = job;
  const slower = isSmallInTurns(job) ? SINGLE_FRAMES : 1;
  const runs: Readonly<Partial<Record<NetworkName, number>>> = {
    'denoising-unet': (slower * evaluations) / (precision === 'int8' ? INTEGER_GAIN : 1),
    'pose-guider': poseRuns,
    'reference-unet': 1,
    'image-encoder': 1,
    'portrait-encoder': 1,
    decoder: decodedFrames,
  };
  return (Object.entries(runs) as [NetworkName, number][]).flatMap(([name, times]) => {
    const network = describeNetwork(bundle.description, name, windowFrames);
    return network === undefined ? [] : [{ network, runs: times }];
  });
}

function isWide({ description }: Bundle): boolean {
  return description.denoisingUnet.blockOutChannels[0]! >= WIDE_CHANNELS;
}

/** Whether networks that could all be open are opened in turns. */
function isSmallInTurns({ bundle, engine, lowMemory }: JobSize): boolean {
  return !isWide(bundle) && takesTurns(bundle, engine.device, lowMemory);
}

/** Times a part of the denoiser on this machine, unless that was done just now, and scales by the work of all networks. */
export async function estimateJob(job: JobSize): Promise<JobEstimate> {
  const { bundle, engine, frames, pixels } = job;
  const speed = job.speed ?? (await networkSpeed(bundle, engine));
  const networks = networksOf(job);
  const operations = networks.reduce((sum, { network, runs }) => sum + network.flops * runs, 0);
  const work = operations / (isWide(bundle) ? WIDE_SHARE : 1);
  const turns = takesTurns(bundle, engine.device, job.lowMemory);
  const opened = turns
    ? networks.reduce((sum, { network }) => sum + 4 * countParameters(network.weights), 0)
    : 0;
  const opening = opened * OPENING_SECONDS + (isSmallInTurns(job) ? TURNS_SECONDS : 0);
  const begin = CLIP_SECONDS + (job.started === true ? 0 : START_SECONDS);
  const others = begin + opening + frames * (FRAME_SECONDS + pixels * PIXEL_SECONDS);
  const memoryBytes = jobMemory({ ...job, device: engine.device, turnBytes: turnBytes() });
  const processorSeconds = OTHER_CORES * others + work * speed.processorSeconds;
  if (engine.device !== 'cpu')
    return { seconds: others + work * speed.seconds, processorSeconds, memoryBytes };
  const threads = engine.threads ?? usableCores();
  const share = speed.processorSeconds / (speed.seconds * threads);
  // What the networks lack of a busy machine, everything else lacks as well.
  const slowdown = Math.max(1, COMPUTING_SHARE / share);
  const seconds = others * slowdown + work * speed.seconds;
  return {
    seconds,
    processorSeconds,
    memoryBytes,
    ...(share < BUSY_SHARE && { busy: describeBusy(share, seconds / slowdown) }),
  };
}

function describeBusy(share: number, aloneSeconds: number): string {
  const minutes = aloneSeconds / 60;
  const alone = minutes < 2 ? `${Math.ceil(aloneSeconds)} s` : `${Math.ceil(minutes)} min`;
  return `other programs keep this machine busy: ${Math.round((100 * share) / COMPUTING_SHARE)} % of its cores are left, and the estimated time counts on no more; alone it would take about ${alone}`;
}

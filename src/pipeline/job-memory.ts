/** How much memory a job takes at its peak, and whether that is there. */
import { EnvironmentError } from '../errors.ts';
import type { Bundle } from '../models/bundle.ts';
import { latentSize, pictureSizeOf } from '../models/bundle-description.ts';
import { atResolution, RESOLUTIONS, type Resolution } from '../models/bundle-size.ts';
import { piecesOf, piecesShare } from '../models/window-pieces.ts';
import type { NetworkName } from '../networks/bundle-graphs.ts';
import { KEPT_IN_HALF, networkBytes, parametersOf, weightBytes } from '../networks/network-memory.ts';
import { takesTurns } from '../networks/take-turns.ts';
import { availableMemory } from '../runtime/available-memory.ts';
import type { Device } from '../runtime/device.ts';
import type { Engine } from '../runtime/engine.ts';
import { countDenoisers } from './job-networks.ts';
import type { Job } from './open-job.ts';

/** Threads of small bundles and what all clips take; measured with the embedded one, see scripts/results/memory.md. */
const BASE_BYTES = 330e6;
/** Threads, small networks and the graph thread, where a bundle's networks take turns. */
const TURN_BASE_BYTES = 900e6;
/** Weights of small bundles, as the engine arranges them, against their size in the file. */
const WEIGHT_COPIES = 1.3;
/** What a window of a small bundle needs in addition to weights, for each latent cell at AniPortrait's width. */
const BYTES_PER_WINDOW_CELL = 40_000;
/** What the second of two denoisers takes for its run, and for what its windows are put together of, beside the first's. */
const SECOND_WINDOW = 1.15;
/** Frames in their stages between drawing and encoder, for each pixel of one. */
const BYTES_PER_PIXEL = 16;
/** What the first frames of a clip leave behind until it is collected; later ones find its place. */
const BYTES_PER_FIRST_FRAME = 0.4e6;
const FIRST_FRAMES = 150;
/** What small networks that take turns leave behind when they are closed. */
const CLOSED_BYTES = 70e6;
/** The least that a job takes of its estimate, which is not exact. */
const CERTAIN_SHARE = 0.85;

/** Networks that are open at the same time where they take turns; with little memory, each alone. */
const STAGES: readonly (readonly NetworkName[])[] = [
  ['image-encoder'],
  ['portrait-encoder'],
  ['reference-unet'],
  ['denoising-unet', 'pose-guider'],
  ['decoder'],
];

/** What the memory of a job depends on. */
interface JobMemorySize {
  readonly bundle: Bundle;
  readonly device: Device;
  readonly windowFrames: number;
  /** Of the video. */
  readonly frames: number;
  /** Denoisers that are open at the same time, see {@link countDenoisers}. @defaultValue 1 */
  readonly denoisers?: number | undefined;
  /** Of one frame of the video. */
  readonly pixels: number;
  readonly audioSamples: number;
  /** @defaultValue false */
  readonly lowMemory?: boolean | undefined;
  /** What networks of large bundles may take that are open at the same time. @defaultValue no limit */
  readonly turnBytes?: number | undefined;
  /** As few frames of a window at once as possible. @defaultValue `lowMemory` */
  readonly fewAtOnce?: boolean;
}

/** Bytes that a job takes at its peak, mapped files included; an estimate. */
export function jobMemory(size: JobMemorySize): number {
  const { bundle, device, frames, pixels, audioSamples, lowMemory = false } = size;
  const clip = pixels * BYTES_PER_PIXEL + audioSamples * 4;
  if (takesTurns(bundle, device)) return TURN_BASE_BYTES + mostAtOnce(size) + clip;
  const first = Math.min(frames, FIRST_FRAMES) * BYTES_PER_FIRST_FRAME;
  const networks = lowMemory && device === 'cpu' ? smallInTurn(size) : smallTogether(size);
  return BASE_BYTES + networks + first + clip;
}

/** Bytes of the networks that are open together, in the stage of a large bundle that takes most. */
function mostAtOnce(size: JobMemorySize): number {
  const { bundle, windowFrames, lowMemory = false, fewAtOnce } = size;
  const bytesOf = (name: NetworkName): number =>
    networkBytes(bundle.description, name, { windowFrames, lowMemory, fewAtOnce });
  const stages = lowMemory ? STAGES.flat().map((name) => [name]) : STAGES;
  const most = Math.max(...stages.map((names) => names.reduce((sum, name) => sum + bytesOf(name), 0)));
  return most + (lowMemory ? 0 : besideDenoiser(size, bytesOf));
}

/** Bytes of the denoiser of guidance's other branch, where there is room for both: it is open, but does not run at the same time. */
function besideDenoiser(
  { bundle, denoisers = 1, turnBytes = Infinity }: JobMemorySize,
  bytesOf: (name: NetworkName) => number,
): number {
  const other = 'unconditional-denoising-unet';
  const together = bytesOf('pose-guider') + bytesOf('denoising-unet') + bytesOf(other);
  return denoisers > 1 && together <= turnBytes ? weightBytes(bundle.description, other, 4) : 0;
}

/** Bytes of what a small denoiser's run holds. */
function smallActivations({ bundle: { description }, windowFrames }: JobMemorySize): number {
  const { height, width: columns } = latentSize(description);
  const width = description.denoisingUnet.blockOutChannels[0]! / 320;
  return windowFrames * height * columns * BYTES_PER_WINDOW_CELL * width;
}

/** Bytes of a small bundle's networks, all of them open. */
function smallTogether(size: JobMemorySize): number {
  const { description } = size.bundle;
  const { denoisers = 1 } = size;
  const bytesOf = (name: NetworkName): number =>
    WEIGHT_COPIES * 4 * (parametersOf(description, name)?.all ?? 0);
  const all = STAGES.flat().reduce((sum, name) => sum + bytesOf(name), 0);
  const further = bytesOf('denoising-unet') + SECOND_WINDOW * smallActivations(size);
  return all + smallActivations(size) + (denoisers - 1) * further;
}

/** Bytes of a small bundle's denoiser, the largest of its networks, open by itself. */
function smallInTurn(size: JobMemorySize): number {
  const weights = weightBytes(size.bundle.description, 'denoising-unet', KEPT_IN_HALF);
  return weights + CLOSED_BYTES + smallActivations(size) * piecesShare(piecesOf(size.windowFrames, true));
}

/** The memory that a prepared job takes. */
export function memorySizeOf(
  job: Job,
  engine: Pick<Engine, 'device'> & Partial<Pick<Engine, 'threads'>>,
  pixels: number,
): JobMemorySize {
  const { bundle, windows, options, samples, frames } = job;
  const { device } = engine;
  const windowFrames = windows[0]![0]!.frames.length;
  const denoisers = countDenoisers(job, engine);
  const clip = { windowFrames, frames, denoisers, pixels, audioSamples: samples };
  return { bundle, device, ...clip, lowMemory: options.lowMemory };
}

/** Memory as a check sees it. */
interface MemoryState {
  /** Bytes that may still be taken. */
  readonly available: number;
  /** Bytes that this process has taken. */
  readonly held: number;
}

/** Memory as it is now. */
function memoryNow(): MemoryState {
  return { available: availableMemory(), held: process.memoryUsage.rss() };
}

/**
 * Refuses a job of networks that take turns, whose memory is known, where that is not there; others are small.
 *
 * @throws {@link EnvironmentError} with the settings that would fit.
 */
export function checkMemory(size: JobMemorySize, { available, held }: MemoryState = memoryNow()): void {
  if (!takesTurns(size.bundle, size.device, size.lowMemory)) return;
  // Where there is little room, fewer frames at once are computed without a word, and one denoiser is open at a time: see BundleNetworks.
  const least = (changed: JobMemorySize): number => jobMemory({ ...changed, fewAtOnce: true, denoisers: 1 });
  const fits = (changed: JobMemorySize): boolean => CERTAIN_SHARE * least(changed) <= available + held;
  if (fits(size)) return;
  const found = alternatives(size).find((changed) => fits(changed.size));
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new EnvironmentError([
    `Cannot render: expected about ${gigabytes(least(size))} of memory, got ${gigabytes(available + held)}; `,
    ...(found === undefined
      ? ['close other programs, or render on a machine with more']
      : ['it would fit with ', ...found.words]),
  ]);
}

type Words = ConstructorParameters<typeof EnvironmentError>[0];

/** Settings that take less, the picture that is nearest first. */
function alternatives(
  size: JobMemorySize,
): { readonly size: JobMemorySize; readonly words: Exclude<Words, string> }[] {
  const { description } = size.bundle;
  const { width, height } = pictureSizeOf(description);
  const low = [{ option: 'lowMemory', value: true }] as const;
  const smaller: Resolution[] = [];
  if (description.codec.type !== 'patch-transform') {
    // Both sides become shorter by as much, so that a shape stays about what it was.
    for (
      let less = RESOLUTIONS.step;
      Math.min(width, height) - less >= RESOLUTIONS.min;
      less += RESOLUTIONS.step
    )
      smaller.push(width === height ? width - less : `${width - less}x${height - less}`);
  }
  return [
    { size: { ...size, lowMemory: true }, words: [...low] },
    ...smaller.map((side) => ({
      size: { ...size, lowMemory: true, bundle: atResolution(size.bundle, side) },
      words: [...low, ' and ', { option: 'resolution', value: side }],
    })),
  ];
}

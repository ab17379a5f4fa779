/** How much memory a job takes at its peak, and whether that is there. */
import { EnvironmentError } from '../errors.ts';
import type { Bundle } from '../models/bundle.ts';
import { latentSize, pictureSizeOf } from '../models/bundle-description.ts';
import { atResolution, RESOLUTIONS, type Resolution } from '../models/bundle-size.ts';
import type { NetworkName } from '../networks/bundle-graphs.ts';
import { networkBytes, parametersOf } from '../networks/network-memory.ts';
import { takesTurns } from '../networks/take-turns.ts';
import { availableMemory } from '../runtime/available-memory.ts';
import type { Device } from '../runtime/device.ts';
import type { Job } from './open-job.ts';

/** Networks and threads of small bundles; measured with the embedded one, see scripts/results/memory.md. */
const BASE_BYTES = 630e6;
/** Threads, small networks and the graph thread, where a bundle's networks take turns. */
const TURN_BASE_BYTES = 900e6;
/** Weights of small bundles, as the engine arranges them, against their size in the file. */
const WEIGHT_COPIES = 1.3;
/** What a window of a small bundle needs in addition to weights, for each latent cell at AniPortrait's width. */
const BYTES_PER_WINDOW_CELL = 40_000;
/** A frame in its stages between drawing and encoder. */
const BYTES_PER_PIXEL = 68;
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
  /** Of one frame of the video. */
  readonly pixels: number;
  readonly audioSamples: number;
  /** @defaultValue false */
  readonly lowMemory?: boolean | undefined;
  /** As few frames of a window at once as possible. @defaultValue `lowMemory` */
  readonly fewAtOnce?: boolean;
}

/** Bytes that a job takes at its peak, mapped files included; an estimate. */
export function jobMemory(size: JobMemorySize): number {
  const { bundle, device, windowFrames, pixels, audioSamples, lowMemory = false, fewAtOnce } = size;
  const { description } = bundle;
  const clip = pixels * BYTES_PER_PIXEL + audioSamples * 4;
  if (takesTurns(bundle, device, lowMemory)) {
    const bytesOf = (name: NetworkName): number =>
      networkBytes(description, name, { windowFrames, lowMemory, fewAtOnce });
    const stages = lowMemory ? STAGES.flat().map((name) => [name]) : STAGES;
    const most = Math.max(...stages.map((names) => names.reduce((sum, name) => sum + bytesOf(name), 0)));
    return TURN_BASE_BYTES + most + clip;
  }
  const parameters = STAGES.flat().reduce(
    (sum, name) => sum + (parametersOf(description, name)?.all ?? 0),
    0,
  );
  const { denoisingUnet } = description;
  const { height, width: columns } = latentSize(description);
  const cells = height * columns;
  const width = denoisingUnet.blockOutChannels[0]! / 320;
  const activations = windowFrames * cells * BYTES_PER_WINDOW_CELL * width;
  return BASE_BYTES + WEIGHT_COPIES * 4 * parameters + activations + clip;
}

/** The memory that a prepared job takes. */
export function memorySizeOf(
  { bundle, windows, options, samples }: Job,
  device: Device,
  pixels: number,
): JobMemorySize {
  const windowFrames = windows[0]![0]!.frames.length;
  return { bundle, device, windowFrames, pixels, audioSamples: samples, lowMemory: options.lowMemory };
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
  // Where there is little room, fewer frames at once are computed without a word: see BundleNetworks.
  const least = (changed: JobMemorySize): number => jobMemory({ ...changed, fewAtOnce: true });
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

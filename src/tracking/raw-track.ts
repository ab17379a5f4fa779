/** What was seen in the pictures of a film, at the times at which they are shown. */
import { MeshSequence } from '../motion/mesh-sequence.ts';
import { POSE_VALUES } from '../motion/motion.ts';
import type { TrackedFace } from './face-tracker.ts';

/** Rates that films have; a measured one that is this near to one of them is it. */
const USUAL_RATES = [
  5,
  10,
  12,
  12.5,
  15,
  20,
  24000 / 1001,
  24,
  25,
  30000 / 1001,
  30,
  48,
  50,
  60000 / 1001,
  60,
];
const RATE_TOLERANCE = 0.002;
/** Of an even film, the time from one picture to the next differs by this share at most: containers round to milliseconds. */
const EVENNESS = 0.12;

/** Grows by one picture after another. */
export class RawTrack {
  readonly #pictureTimes: number[] = [];
  /** For each picture the number of its sample, or -1. */
  readonly #samples: number[] = [];
  readonly #times: number[] = [];
  readonly #poses: number[] = [];
  #meshes = new MeshSequence();

  /** Pictures so far, and those of them that show the face: samples. */
  get pictures(): number {
    return this.#pictureTimes.length;
  }

  get count(): number {
    return this.#times.length;
  }

  append(time: number, face: TrackedFace | undefined): void {
    this.#pictureTimes.push(time);
    this.#samples.push(face === undefined ? -1 : this.#times.length);
    if (face === undefined) return;
    this.#times.push(time);
    const pose = [...face.pose];
    const from = this.#poses.length - POSE_VALUES;
    // Angles go on from the last ones: there is no jump at ±180°.
    if (from >= 0) {
      for (let axis = 0; axis < 3; axis++) {
        pose[axis]! -= 360 * Math.round((pose[axis]! - this.#poses[from + axis]!) / 360);
      }
    }
    this.#poses.push(...pose);
    this.#meshes.append(face.mesh);
  }

  pictureTime(picture: number): number {
    return this.#pictureTimes[picture]!;
  }

  isFound(picture: number): boolean {
    return this.#samples[picture]! >= 0;
  }

  /** Time of a sample in seconds. */
  timeOf(sample: number): number {
    return this.#times[sample]!;
  }

  /** Adds `weight` times a sample to `pose` [6] and `mesh` [468, 3], in degrees and cm. */
  addTo(sample: number, weight: number, pose: Float64Array, mesh: Float64Array, meshStep: number): void {
    for (let i = 0; i < POSE_VALUES; i++) pose[i]! += weight * this.#poses[sample * POSE_VALUES + i]!;
    this.#meshes.addTo(sample, weight * meshStep, mesh);
  }

  /** Usual time from one picture to the next, in seconds. */
  get interval(): number {
    const times = this.#pictureTimes;
    const steps = times.slice(1).map((time, i) => time - times[i]!);
    return steps.sort((a, b) => a - b)[steps.length >> 1] ?? 1 / 25;
  }

  /** When the last picture ends. */
  get endTime(): number {
    return (this.#pictureTimes.at(-1) ?? 0) + this.interval;
  }

  /** Frames a second of an even grid for these pictures: theirs where it is even, else their mean rate, rounded up. */
  evenRate(most: number): number {
    const { interval } = this;
    const times = this.#pictureTimes;
    const span = times.at(-1)! - times[0]!;
    const mean = span > 0 ? (times.length - 1) / span : 1 / interval;
    const even = times.every((time, i) => {
      return i === 0 || Math.abs(time - times[i - 1]! - interval) <= Math.max(EVENNESS * interval, 0.0015);
    });
    const byNearness = [...USUAL_RATES].sort((a, b) => Math.abs(a - mean) - Math.abs(b - mean));
    const usual = even
      ? byNearness.find((rate) => Math.abs(mean / rate - 1) < RATE_TOLERANCE)
      : USUAL_RATES.find((rate) => rate >= mean * (1 - RATE_TOLERANCE));
    return Math.min(most, usual ?? mean);
  }

  /** Forgets the meshes. */
  clear(): void {
    this.#meshes = new MeshSequence();
  }
}

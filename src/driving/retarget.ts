/**
 * Carries the expression of one face over to another: motion relative to the first face's rest, at the size of the
 * second one's features, with lips that meet and lids that shut where they do on the first.
 */

import { EYES, gapsOf, MOUTH, OpeningControl } from '../motion/close-openings.ts';
import { measureFace } from '../motion/face-measures.ts';
import { type FaceParts, faceParts, faceRegions } from '../motion/face-regions.ts';
import { keepOrder } from '../motion/keep-order.ts';
import type { MeshSequence } from '../motion/mesh-sequence.ts';
import { MESH_VALUES, MESH_VERTICES } from '../motion/motion.ts';

/** Features of two people differ by this factor at most; beyond it, something was measured wrong. */
const MAX_RATIO = 1.4;
/**
 * Landmarks of lips that touch are this far apart in y, in cm: at most, as a mouth that never closes is not taken for closed,
 * and at least, as lips that are pressed together (their edges cross) are closed as those that touch are.
 */
const CLOSED_GAPS = [0, 0.06] as const;
/**
 * Landmarks of lips that touch differ by tenths of a millimetre from frame to frame: up to the first gap they touch, in cm, and
 * from the second on nothing is taken from the opening.
 */
const TOUCHING = [0.06, 0.25] as const;
/** Gap of lips that touch, where the face does not tell. */
const CLOSED_LIPS = 0.02;
/** Share of the frames in which lips are closed as far as they close, and lids shut as far as they shut. */
const CLOSED_SHARE = 0.03;
const SHUT_SHARE = 0.01;
/**
 * Opening that the landmarks of shut lids still show, as a share of open ones: 0.12 to 0.35 by the person, as they stand on the
 * lids' outer rims. A film whose lids never come so near has no blink to learn it from.
 */
const SHUT_LIDS = [0.12, 0.36] as const;
const USUAL_SHUT_LIDS = 0.27;
/** Lids that are open by this share of open ones more than the film's narrowest are shut all the same. */
const SHUT_MARGIN = 0.06;
/** Closures that differ by less than the first share belong to a blink of both eyes; by more than the second, to a wink. */
const WINK = [0.4, 0.7] as const;
/** At most so many frames are measured; of longer recordings, evenly spaced ones. */
const MAX_MEASURED = 6000;

/** Strengths of the motion, 1 being that of the film. */
export interface RetargetScales {
  readonly expressionScale: number;
  readonly mouthScale: number;
  /** Of blinks. */
  readonly blinkScale: number;
}

/** Moves one portrait as one recorded face moves. */
export class Retargeter {
  readonly #source: Float32Array;
  readonly #target: Float64Array;
  readonly #scales: Float32Array;
  readonly #blinkScale: number;
  readonly #mouth: OpeningControl;
  readonly #eyes: readonly [OpeningControl, OpeningControl];
  /** By column: the gap of the recorded face's closed lips, and of the portrait's. */
  readonly #closedLips: Float64Array;
  readonly #ownClosedLips: Float64Array;
  readonly #openLids: readonly [number, number];
  readonly #shutLids: readonly [number, number];
  readonly #ownLids: readonly [Float64Array, Float64Array];
  readonly #lidScales: readonly [number, number];
  readonly #gapScale: number;

  /**
   * @param meshes - of the recording.
   * @param rest - [468, 3] cm, its face at rest.
   * @param portrait - [468, 3] cm.
   */
  constructor(
    meshes: MeshSequence,
    rest: Float32Array,
    portrait: ArrayLike<number>,
    { expressionScale, mouthScale, blinkScale }: RetargetScales,
  ) {
    this.#source = rest;
    this.#target = Float64Array.from(portrait);
    this.#blinkScale = blinkScale;
    const source = measureFace(rest);
    const target = measureFace(portrait);
    const mean = ([a, b]: readonly [number, number]): number => (a + b) / 2;
    const ratios = {
      mouth: ratio(target.mouthWidth, source.mouthWidth),
      brows: ratio(mean(target.brows), mean(source.brows)),
      eyes: ratio(mean(target.eyeWidths), mean(source.eyeWidths)),
    };
    const parts: FaceParts = faceParts(portrait);
    const { mouth } = faceRegions(portrait);
    this.#scales = Float32Array.from(
      { length: MESH_VERTICES },
      (_, vertex) =>
        expressionScale *
        (1 + (mouthScale - 1) * mouth[vertex]!) *
        (1 +
          mouth[vertex]! * (ratios.mouth - 1) +
          parts.brows[vertex]! * (ratios.brows - 1) +
          parts.eyes[vertex]! * (ratios.eyes - 1)),
    );
    this.#gapScale = expressionScale * mouthScale * ratios.mouth;

    this.#mouth = new OpeningControl(MOUTH, portrait);
    this.#eyes = [new OpeningControl(EYES[0], portrait), new OpeningControl(EYES[1], portrait)];
    const { lips, lids } = measureRecording(meshes);
    const [leastGap, mostGap] = CLOSED_GAPS;
    this.#closedLips = Float64Array.from(lips, (gaps) =>
      Math.min(mostGap, Math.max(leastGap, quantile(gaps, CLOSED_SHARE))),
    );
    this.#ownClosedLips = gapsOf(portrait, MOUTH).map((gap) => Math.min(gap, CLOSED_LIPS));
    this.#openLids = source.lids;
    const shut = (eye: 0 | 1): number => {
      const [least, most] = SHUT_LIDS;
      const narrowest = quantile(lids[eye], SHUT_SHARE) / source.lids[eye];
      const share = narrowest > most ? USUAL_SHUT_LIDS : Math.max(least, narrowest);
      return source.lids[eye] * (share + SHUT_MARGIN);
    };
    this.#shutLids = [shut(0), shut(1)];
    this.#ownLids = [gapsOf(portrait, EYES[0]), gapsOf(portrait, EYES[1])];
    this.#lidScales = [ratio(target.lids[0], source.lids[0]), ratio(target.lids[1], source.lids[1])];
  }

  /**
   * The portrait's motion in one frame.
   *
   * @param mesh - [468, 3] cm, of the recorded face.
   * @param out - [468, 3] cm, offsets of the portrait's mesh; overwritten.
   */
  offsets(mesh: Float32Array, out: Float32Array): void {
    const moved = new Float64Array(MESH_VALUES);
    for (let i = 0; i < MESH_VALUES; i++) {
      out[i] = this.#scales[Math.floor(i / 3)]! * (mesh[i]! - this.#source[i]!);
      moved[i] = this.#target[i]! + out[i]!;
    }
    const lips = gapsOf(mesh, MOUTH).map(
      (gap, column) =>
        this.#ownClosedLips[column]! + this.#gapScale * openingOf(gap, this.#closedLips[column]!),
    );
    this.#mouth.set(moved, lips, out);
    keepOrder(this.#target, out);
    const { lids } = measureFace(mesh);
    const closures = together(
      ([0, 1] as const).map((eye) => {
        const [open, shut] = [this.#openLids[eye], this.#shutLids[eye]];
        return Math.min(1, (open - lids[eye]) / (open - shut));
      }),
    );
    this.#eyes.forEach((control, side) => {
      const eye = side as 0 | 1;
      const open = this.#openLids[eye];
      const closure = closures[eye]!;
      const gaps = this.#ownLids[eye].map((gap) =>
        closure > 0
          ? gap * (1 - this.#blinkScale * closure)
          : gap + this.#lidScales[eye] * (lids[eye] - open),
      );
      control.set(moved, gaps, out);
    });
  }
}

/** Closures of both eyes, alike where they are nearly so: lids blink together, and what differs is how well they are seen. */
function together(closures: readonly number[]): number[] {
  const [right, left] = closures as [number, number];
  const [alike, apart] = WINK;
  const t = Math.min(1, Math.max(0, (Math.abs(right - left) - alike) / (apart - alike)));
  return closures.map((closure) => t * closure + ((1 - t) * (right + left)) / 2);
}

/** How far lips are open whose landmarks are `gap` apart, and `closed` where they touch. */
function openingOf(gap: number, closed: number): number {
  const [touching, free] = TOUCHING;
  if (gap <= touching) return 0;
  if (gap >= free) return gap - closed;
  return ((gap - touching) / (free - touching)) * (free - closed);
}

/** Gaps of the lips by column, and openings of the lids by eye, over the frames of a recording. */
function measureRecording(meshes: MeshSequence): {
  readonly lips: readonly (readonly number[])[];
  readonly lids: readonly [number[], number[]];
} {
  const step = Math.max(1, Math.ceil(meshes.frames / MAX_MEASURED));
  const lips: number[][] = MOUTH.columns.map(() => []);
  const lids: [number[], number[]] = [[], []];
  const mesh = new Float32Array(MESH_VALUES);
  for (let frame = 0; frame < meshes.frames; frame += step) {
    meshes.read(frame, mesh);
    for (const [column, gap] of gapsOf(mesh, MOUTH).entries()) lips[column]!.push(gap);
    const measures = measureFace(mesh);
    lids[0].push(measures.lids[0]);
    lids[1].push(measures.lids[1]);
  }
  return { lips, lids };
}

function ratio(target: number, source: number): number {
  const value = target / source;
  return Number.isFinite(value) && value > 0 ? Math.min(MAX_RATIO, Math.max(1 / MAX_RATIO, value)) : 1;
}

/** The value below which a share of the values lies. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** Finds how a face looks at rest, from a recording in which it may never rest wholly. */
import { measureFace } from './face-measures.ts';
import { MESH_STEP, type MeshSequence } from './mesh-sequence.ts';
import { MESH_VALUES, POSE_VALUES } from './motion.ts';
import type { RestingFace } from './recorded-motion.ts';

/** Rest is the mean of this share of the frames, those nearest to it; of so many at least, and at most. */
const SHARE = 0.08;
const MIN_FRAMES = 5;
const MAX_FRAMES = 150;
/** At most so many frames are measured; of longer recordings, evenly spaced ones. */
const MAX_MEASURED = 20_000;
/** Lids of a face at rest are open as far as this share of the frames has them at most: blinks are below, surprise above. */
const OPEN_LIDS = 0.6;

/**
 * The face at rest: the mean of the frames whose lips are closed most (or, of a mouth that never closes, open least),
 * whose lids are as open as they usually are, and whose brows and corners of the mouth are where they usually are. Its
 * pose is the median of all frames.
 *
 * @param poses - [frames, 6].
 * @param seen - which frames were measured, not guessed. @defaultValue all
 */
export function findRest(
  meshes: MeshSequence,
  poses: Float32Array,
  seen: (frame: number) => boolean = () => true,
): RestingFace {
  const step = Math.max(1, Math.ceil(meshes.frames / MAX_MEASURED));
  const frames: number[] = [];
  for (let frame = 0; frame < meshes.frames; frame += step) if (seen(frame)) frames.push(frame);
  if (frames.length === 0) throw new Error('a recording without a frame that was measured has no rest');
  const mesh = new Float32Array(MESH_VALUES);
  const measures = frames.map((frame) => {
    meshes.read(frame, mesh);
    return measureFace(mesh);
  });

  /** How far each frame is from the usual value, in units of the usual deviation from it. */
  const deviations = (
    values: readonly number[],
    usual: number,
    one: (difference: number) => number,
  ): number[] => {
    const spread = quantile(
      values.map((value) => Math.abs(value - usual)),
      0.5,
    );
    return values.map((value) => one((value - usual) / Math.max(spread, 0.01)));
  };
  const lips = measures.map((measure) => measure.lips);
  const either = Math.abs;
  const terms = [
    deviations(lips, quantile(lips, 0.02), (difference) => 2 * Math.max(0, difference)),
    ...([0, 1] as const).flatMap((eye) => {
      const lids = measures.map((measure) => measure.lids[eye]);
      const brows = measures.map((measure) => measure.brows[eye]);
      return [
        deviations(lids, quantile(lids, OPEN_LIDS), either),
        deviations(brows, quantile(brows, 0.5), either).map((value) => 0.5 * value),
      ];
    }),
    deviations(
      measures.map((measure) => measure.mouthWidth),
      quantile(
        measures.map((measure) => measure.mouthWidth),
        0.5,
      ),
      either,
    ).map((value) => 0.5 * value),
  ];
  const scores = frames.map((frame, i) => ({
    frame,
    score: terms.reduce((sum, term) => sum + term[i]!, 0),
  }));
  scores.sort((a, b) => a.score - b.score || a.frame - b.frame);

  const count = Math.min(
    frames.length,
    Math.max(MIN_FRAMES, Math.min(MAX_FRAMES, Math.round(SHARE * frames.length))),
  );
  const sum = new Float64Array(MESH_VALUES);
  for (const { frame } of scores.slice(0, count)) meshes.addTo(frame, MESH_STEP / count, sum);
  return { frame: scores[0]!.frame, pose: medianPose(poses, frames), mesh: Float32Array.from(sum) };
}

function medianPose(poses: Float32Array, frames: readonly number[]): Float32Array {
  return Float32Array.from({ length: POSE_VALUES }, (_, axis) =>
    quantile(
      frames.map((frame) => poses[frame * POSE_VALUES + axis]!),
      0.5,
    ),
  );
}

/** The value below which a share of the values lies. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

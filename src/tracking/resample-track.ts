/** From pictures at any times to frames at even ones. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MESH_STEP, MeshSequence } from '../motion/mesh-sequence.ts';
import { MESH_VALUES, POSE_VALUES } from '../motion/motion.ts';
import type { RawTrack } from './raw-track.ts';

/** A track on an even grid. */
export interface EvenTrack {
  readonly fps: number;
  readonly meshes: MeshSequence;
  /** [frames, 6] */
  readonly poses: Float32Array;
  /** 1 where the face was seen. */
  readonly seen: Uint8Array;
  /** Numbers of frames that begin another scene. */
  readonly cuts: readonly number[];
}

/** Options of {@link resampleTrack}. */
interface ResampleOptions {
  readonly fps: number;
  /** Times at which other scenes begin. */
  readonly cuts: readonly number[];
  /** Longer times between samples are not interpolated: the face is held, and moves on shortly before it is seen again. */
  readonly maxGap: number;
  readonly duration: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Seconds before a held face is seen again in which it moves there. */
const RETURN = 0.4;
const FRAMES_PER_TURN = 128;

/**
 * Frames at `i / fps` seconds from 0 on, by cubics through the samples around them; at the time of a sample they are that
 * sample. Nothing is interpolated across cuts.
 *
 * Source: cubic Hermite splines with the tangents of Catmull and Rom 1974, for uneven knots.
 */
export async function resampleTrack(
  raw: RawTrack,
  { fps, cuts, maxGap, duration, signal }: ResampleOptions,
): Promise<EvenTrack> {
  const { interval } = raw;
  const end = duration === undefined ? raw.endTime : Math.min(raw.endTime, duration);
  const frames = Math.max(1, Math.round(end * fps));
  const meshes = new MeshSequence();
  const poses = new Float32Array(frames * POSE_VALUES);
  const seen = new Uint8Array(frames);
  const pose = new Float64Array(POSE_VALUES);
  const mesh = new Float64Array(MESH_VALUES);
  const last = raw.count - 1;
  const sceneOf = (time: number): number => cuts.filter((cut) => cut <= time + 1e-9).length;
  /** Whether two neighbouring samples belong to one motion. */
  const joined = (a: number, b: number): boolean =>
    a >= 0 &&
    b <= last &&
    raw.timeOf(b) - raw.timeOf(a) <= Math.max(maxGap, 1.5 * interval) &&
    sceneOf(raw.timeOf(a)) === sceneOf(raw.timeOf(b));
  let at = 0;
  for (let frame = 0; frame < frames; frame++) {
    const time = frame / fps;
    while (at < last && raw.timeOf(at + 1) <= time + 1e-9) at++;
    pose.fill(0);
    mesh.fill(0);
    const add = (sample: number, weight: number): void => raw.addTo(sample, weight, pose, mesh, MESH_STEP);
    const here = raw.timeOf(at);
    const next = Math.min(at + 1, last);
    const span = raw.timeOf(next) - here;
    const t = span > 0 ? Math.min(1, Math.max(0, (time - here) / span)) : 0;
    if (t < 1e-6 || next === at) add(at, 1);
    else if (joined(at, next)) {
      addCubic(raw, at, t, joined, add);
    } else if (sceneOf(here) !== sceneOf(raw.timeOf(next))) {
      // The picture before a cut is shown until the cut.
      add(sceneOf(time) === sceneOf(here) ? at : next, 1);
    } else {
      const back = Math.min(1, Math.max(0, (time - raw.timeOf(next) + RETURN) / RETURN));
      const share = back * back * (3 - 2 * back);
      add(at, 1 - share);
      add(next, share);
    }
    poses.set(pose, frame * POSE_VALUES);
    meshes.append(mesh);
    const nearest = Math.min(Math.abs(time - here), Math.abs(raw.timeOf(next) - time));
    seen[frame] = nearest <= 0.75 * interval ? 1 : 0;
    if (frame % FRAMES_PER_TURN === FRAMES_PER_TURN - 1) {
      await nextTurn();
      signal?.throwIfAborted();
    }
  }
  const cutFrames = [...new Set(cuts.map((time) => Math.ceil(time * fps - 1e-6)))];
  return { fps, meshes, poses, seen, cuts: cutFrames.filter((frame) => frame > 0 && frame < frames) };
}

/** Adds the samples around a place between sample `at` and the next, with their weights. */
function addCubic(
  raw: RawTrack,
  at: number,
  t: number,
  joined: (a: number, b: number) => boolean,
  add: (sample: number, weight: number) => void,
): void {
  const span = raw.timeOf(at + 1) - raw.timeOf(at);
  const value0 = 2 * t ** 3 - 3 * t ** 2 + 1;
  const slope0 = (t ** 3 - 2 * t ** 2 + t) * span;
  const slope1 = (t ** 3 - t ** 2) * span;
  add(at, value0);
  add(at + 1, 1 - value0);
  const addSlope = (weight: number, from: number, to: number): void => {
    const scale = weight / (raw.timeOf(to) - raw.timeOf(from));
    add(from, -scale);
    add(to, scale);
  };
  addSlope(slope0, joined(at - 1, at) ? at - 1 : at, at + 1);
  addSlope(slope1, at, joined(at + 1, at + 2) ? at + 2 : at + 1);
}

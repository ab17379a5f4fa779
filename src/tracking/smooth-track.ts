/** Takes the jitter of the landmarks out of a track, without delay. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { faceRegions } from '../motion/face-regions.ts';
import { MESH_STEP, MeshSequence } from '../motion/mesh-sequence.ts';
import { MESH_VALUES, MESH_VERTICES, POSE_VALUES } from '../motion/motion.ts';
import { smoothingWindow } from '../motion/smoothing.ts';
import type { EvenTrack } from './resample-track.ts';

/**
 * Seconds to each side that smoothing looks at. Heads nod up to 3 times a second; lips close and open within 0.2 s; lids
 * fall within 0.1 s.
 */
const POSE_REACH = 0.16;
const FACE_REACH = 0.08;
const LID_REACH = 0.04;
const FRAMES_PER_TURN = 64;

/**
 * A smoothed copy of a track, scene by scene; see smoothing.ts for the filter.
 *
 * @throws `signal.reason` if it aborts.
 */
export async function smoothTrack(track: EvenTrack, signal?: AbortSignal): Promise<EvenTrack> {
  const { fps, cuts } = track;
  const { frames } = track.meshes;
  const reach = (seconds: number): number => Math.round(seconds * fps);
  const first = new Float32Array(MESH_VALUES);
  track.meshes.read(0, first);
  const { lids } = faceRegions(first);
  const lidVertices = Array.from({ length: MESH_VERTICES }, (_, vertex) => vertex).filter(
    (vertex) => lids[vertex]! > 0,
  );
  const meshes = new MeshSequence();
  const poses = new Float32Array(track.poses.length);
  const mesh = new Float64Array(MESH_VALUES);
  for (let frame = 0; frame < frames; frame++) {
    const from = Math.max(0, ...cuts.filter((cut) => cut <= frame));
    const to = Math.min(frames, ...cuts.filter((cut) => cut > frame));
    const poseWindow = smoothingWindow(frame, reach(POSE_REACH), from, to);
    poseWindow.weights.forEach((weight, i) => {
      for (let axis = 0; axis < POSE_VALUES; axis++) {
        poses[frame * POSE_VALUES + axis]! +=
          weight * track.poses[(poseWindow.first + i) * POSE_VALUES + axis]!;
      }
    });
    mesh.fill(0);
    const faceWindow = smoothingWindow(frame, reach(FACE_REACH), from, to);
    faceWindow.weights.forEach((weight, i) => {
      track.meshes.addTo(faceWindow.first + i, weight * MESH_STEP, mesh);
    });
    const lidWindow = smoothingWindow(frame, reach(LID_REACH), from, to);
    for (const vertex of lidVertices) {
      for (let axis = 3 * vertex; axis < 3 * vertex + 3; axis++) {
        let sum = 0;
        lidWindow.weights.forEach((weight, i) => {
          sum += weight * MESH_STEP * track.meshes.units(lidWindow.first + i)[axis]!;
        });
        mesh[axis]! += lids[vertex]! * (sum - mesh[axis]!);
      }
    }
    meshes.append(mesh);
    if (frame % FRAMES_PER_TURN === FRAMES_PER_TURN - 1) {
      await nextTurn();
      signal?.throwIfAborted();
    }
  }
  return { ...track, meshes, poses };
}

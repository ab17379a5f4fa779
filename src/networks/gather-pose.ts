/** Puts the pose features of a window together from those of groups of frames. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Tensor } from '../tensor/tensor.ts';
import type { NamedInputs } from './clip-networks.ts';

/** Where a frame's features are. */
interface PosePlace {
  /** Number of the group. */
  readonly group: number;
  /** Of the frame in the group. */
  readonly index: number;
}

/** Features of frames that are named one by one, in memory of their own. */
export async function gatherPose(
  groups: readonly NamedInputs[],
  places: readonly PosePlace[],
): Promise<NamedInputs> {
  const gathered: Record<string, Tensor> = {};
  for (const name of Object.keys(groups[0]!)) {
    gathered[name] = gatherFrames(
      groups.map((group) => group[name]!),
      places,
    );
    // They may be a hundred megabytes: timers and signals get their turn.
    await nextTurn();
  }
  return gathered;
}

/** Frames of several tensors `[1, C, frames, h, w]` in one. */
function gatherFrames(from: readonly Tensor[], places: readonly PosePlace[]): Tensor {
  const [batch, channels, size, height, width] = from[0]!.dims as [number, number, number, number, number];
  const plane = height * width;
  const data = new Float32Array(batch * channels * places.length * plane);
  for (let channel = 0; channel < batch * channels; channel++) {
    places.forEach(({ group, index }, i) => {
      const begin = (channel * size + index) * plane;
      data.set(from[group]!.data.subarray(begin, begin + plane), (channel * places.length + i) * plane);
    });
  }
  return { data, dims: [batch, channels, places.length, height, width] };
}

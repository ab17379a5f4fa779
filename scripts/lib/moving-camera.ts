/** A camera that moves over a still, for frames whose true motion is known. */
import type { Square } from '../../src/face/crop.ts';
import { RandomStream } from '../../src/tensor/random.ts';

/** How far the camera goes to the sides, and by what share it comes nearer, of the square's side. */
const REACH = 0.07;
const ZOOM = 0.06;
/** Turns of each movement in a window: slow, as a head moves. */
const LEAST_TURNS = 0.3;
const MORE_TURNS = 0.5;

/** The same number for the same text. */
function seedOf(text: string): number {
  let seed = 2166136261;
  for (const byte of Buffer.from(text)) seed = Math.imul(seed ^ byte, 16777619) >>> 0;
  return seed;
}

/**
 * What the camera sees in each of `frames` frames: `square`, swaying to the sides, up and down and in size, each by its own
 * slow sine. The same `name` gives the same path.
 */
export function cameraSquares({ x, y, side }: Square, frames: number, name: string): Square[] {
  const random = new RandomStream([seedOf(name)]);
  const sines = Array.from({ length: 3 }, () => ({
    turns: LEAST_TURNS + MORE_TURNS * random.uniform(),
    phase: 2 * Math.PI * random.uniform(),
  }));
  return Array.from({ length: frames }, (_, frame) => {
    const [across, down, near] = sines.map(({ turns, phase }) =>
      Math.sin((2 * Math.PI * turns * frame) / frames + phase),
    ) as [number, number, number];
    const seen = side * (1 + ZOOM * near);
    const middle = (side - seen) / 2;
    return { x: x + middle + REACH * side * across, y: y + middle + REACH * side * down, side: seen };
  });
}

/** MediaPipe's canonical face, which the package carries as assets/face/face-mesh.json. */
import { readFileSync } from 'node:fs';
import { ownFile, ownUrl } from '../files/own-file.ts';

/**
 * The canonical face: `vertices` [468 · 3] in cm, x to the person's left, y up, z towards the camera; `triangles`
 * [898 · 3] of vertex indices; `procrustes`, the landmarks that hardly move with expressions, with their weights.
 */
interface FaceMesh {
  readonly vertices: Float64Array;
  readonly triangles: Uint16Array;
  readonly procrustes: readonly (readonly [landmark: number, weight: number])[];
}

let cached: FaceMesh | undefined;

/** Reads the mesh once; later calls return the same object. */
export function loadFaceMesh(): FaceMesh {
  if (cached === undefined) {
    const text = readFileSync(ownFile(ownUrl('../../assets/face/face-mesh.json', import.meta.url)), 'utf8');
    const { vertices, triangles, procrustes } = JSON.parse(text) as {
      vertices: number[];
      triangles: number[];
      procrustes: [number, number][];
    };
    cached = {
      vertices: Float64Array.from(vertices),
      triangles: Uint16Array.from(triangles),
      procrustes,
    };
  }
  return cached;
}

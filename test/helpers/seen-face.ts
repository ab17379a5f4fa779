import { projectMesh } from '../../src/face/geometry.ts';

/** Landmarks of a metric face as the landmark network would give them: z without perspective, zero on average. */
export function seenBy(
  mesh: Float64Array,
  transform: Float64Array,
  width: number,
  height: number,
): Float64Array {
  const pixels = projectMesh(mesh, transform, width, height);
  const count = mesh.length / 3;
  const depth = Array.from({ length: count }, (_, i) => {
    const at = i * 3;
    return -(
      transform[8]! * mesh[at]! +
      transform[9]! * mesh[at + 1]! +
      transform[10]! * mesh[at + 2]! +
      transform[11]!
    );
  });
  const mean = depth.reduce((a, b) => a + b, 0) / count;
  const planeWidth = (2 * Math.tan((31.5 * Math.PI) / 180) * width) / height;
  return Float64Array.from({ length: mesh.length }, (_, i) => {
    const point = Math.floor(i / 3);
    return i % 3 < 2 ? pixels[point * 2 + (i % 3)]! : ((depth[point]! / mean - 1) / planeWidth) * width;
  });
}

/** Brings portraits to the mean mesh of their group. */
import { FACE_OVAL } from '../../../src/face/face-rings.ts';
import type { Triangles } from '../../../src/face/mesh-triangles.ts';
import { PortraitWarp } from '../../../src/face/warp.ts';
import { resizeImage } from '../../../src/image/resize.ts';
import type { RgbImage } from '../../../src/image/rgb-image.ts';
import { type Planes, planes, remap } from '../planes.ts';
import { smoothstep } from './light.ts';

/** One portrait of a group. */
export interface Member {
  readonly image: RgbImage;
  /** `[468, 2]` in pixels. */
  readonly points: Float64Array;
  /** Weight in the face. */
  readonly face: number;
  /** Weight above the chin and outside the face; needs a plain wall behind the person. */
  readonly hair: number;
  /** Weight below the chin. */
  readonly body: number;
  /** Largest distance of wall pixels from the wall's colour, 0 to 1. */
  readonly wallTolerance: number;
}

/** Pixels of the working picture and of the result. */
export const SIZE = 512;
/** Warps are drawn larger by this and averaged: where a turned face hides hair behind it, its edge has no steps then. */
const WARP_OVERSAMPLING = 3;

/** Where the mean mesh lies. */
export interface MeshPlace {
  /** Height of the mean mesh, forehead to chin, as a share of the picture. */
  readonly faceHeight: number;
  /** Middle of the mean mesh from the top, as a share of the picture. */
  readonly faceMiddle: number;
}

/** Similarity that maps `from` to `to` with least squares: x' = a·x − b·y + c, y' = b·x + a·y + d. */
function fitSimilarity(from: ArrayLike<number>, to: ArrayLike<number>): [number, number, number, number] {
  const n = from.length / 2;
  let [fx, fy, tx, ty] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    fx += from[2 * i]! / n;
    fy += from[2 * i + 1]! / n;
    tx += to[2 * i]! / n;
    ty += to[2 * i + 1]! / n;
  }
  let [dot, cross, norm] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const x = from[2 * i]! - fx;
    const y = from[2 * i + 1]! - fy;
    dot += x * (to[2 * i]! - tx) + y * (to[2 * i + 1]! - ty);
    cross += x * (to[2 * i + 1]! - ty) - y * (to[2 * i]! - tx);
    norm += x * x + y * y;
  }
  const a = dot / norm;
  const b = cross / norm;
  return [a, b, tx - a * fx + b * fy, ty - b * fx - a * fy];
}

function applySimilarity([a, b, c, d]: readonly number[], points: ArrayLike<number>): Float64Array {
  const moved = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    moved[i] = a! * points[i]! - b! * points[i + 1]! + c!;
    moved[i + 1] = b! * points[i]! + a! * points[i + 1]! + d!;
  }
  return moved;
}

/** Mean mesh of the members after similarity alignment, placed in the working picture. */
export function meanMesh(members: readonly Member[], { faceHeight, faceMiddle }: MeshPlace): Float64Array {
  let mean: Float64Array = Float64Array.from(members[0]!.points);
  for (let round = 0; round < 4; round++) {
    const next = new Float64Array(mean.length);
    let total = 0;
    for (const { points, face } of members) {
      const aligned = applySimilarity(fitSimilarity(points, mean), points);
      for (let i = 0; i < next.length; i++) next[i]! += aligned[i]! * face;
      total += face;
    }
    // Upright, and of the wished size and place.
    const at = (index: number): readonly [number, number] => [
      next[2 * index]! / total,
      next[2 * index + 1]! / total,
    ];
    const [topX, topY] = at(10);
    const [chinX, chinY] = at(152);
    const target = [
      [SIZE / 2, SIZE * (faceMiddle - faceHeight / 2)],
      [SIZE / 2, SIZE * (faceMiddle + faceHeight / 2)],
    ].flat();
    const place = fitSimilarity([topX, topY, chinX, chinY], target);
    mean = applySimilarity(
      place,
      next.map((v) => v / total),
    );
  }
  return mean;
}

/** 1 inside the face, falling to 0 at its outline. */
export function faceMask(mesh: Float64Array): Planes {
  const mask = planes(SIZE, 1);
  const oval = FACE_OVAL.map((i) => [mesh[2 * i]!, mesh[2 * i + 1]!] as const);
  for (let y = 0, i = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++, i++) {
      let inside = false;
      let nearest = Number.POSITIVE_INFINITY;
      for (let k = 0; k < oval.length; k++) {
        const [ax, ay] = oval[k]!;
        const [bx, by] = oval[(k + 1) % oval.length]!;
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
        const t = Math.max(
          0,
          Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)),
        );
        nearest = Math.min(nearest, Math.hypot(ax + t * (bx - ax) - x, ay + t * (by - ay) - y));
      }
      mask.data[i] = inside ? smoothstep(4, SIZE * 0.06, nearest) : 0;
    }
  }
  return mask;
}

/** A member on the mean mesh. */
export interface Placed {
  readonly member: Member;
  /** Display bytes on the mean mesh. */
  readonly bytes: Uint8Array;
  /** How far inside the source picture each pixel's origin lies, in the source's pixels. */
  readonly inset: Float32Array;
}

/** Brings the member to the mean mesh. */
export function placeMember(member: Member, mesh: Float64Array, triangles: Triangles): Placed {
  const place = fitSimilarity(member.points, mesh);
  const [a, b, c, d] = place;
  const norm = a * a + b * b;
  const { image } = member;
  const inset = new Float32Array(SIZE * SIZE);
  const aligned = remap(image, SIZE, (x, y) => {
    const u = (a * (x + 0.5 - c) + b * (y + 0.5 - d)) / norm;
    const v = (a * (y + 0.5 - d) - b * (x + 0.5 - c)) / norm;
    inset[y * SIZE + x] = Math.min(u, v, image.width - u, image.height - v);
    return [u - 0.5, v - 0.5];
  });
  const data = Uint8Array.from(aligned.data, (v) => Math.max(0, Math.min(255, Math.round(v))));
  const warp = new PortraitWarp(
    { data, width: SIZE, height: SIZE },
    applySimilarity(place, member.points),
    triangles,
  );
  const large = SIZE * WARP_OVERSAMPLING;
  const drawn = warp.renderImage(
    mesh.map((value) => value * WARP_OVERSAMPLING),
    large,
    large,
  );
  return { member, bytes: resizeImage(drawn, SIZE, SIZE, 'area').data, inset };
}

/**
 * Mouths that stand open and eyes that are shut, as the attention mesh sees them: the plain mesh, with which the networks
 * were trained, hardly sees a mouth that is wide open, and no eye that is closed.
 */
import type { FaceFinder } from '../face/face-finder.ts';
import { loadFaceMesh } from '../face/face-mesh.ts';
import { type ChosenFace, portraitFaceOf } from '../face/portrait-face.ts';
import { regionFromLandmarks } from '../face/region.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { lipOpening } from '../motion/expression-basis.ts';
import { keepOrder } from '../motion/keep-order.ts';
import { CLOSED_EYE, eyeAperture } from '../motion/lid-shapes.ts';

/** Distance of the inner lips in cm from which a mouth is open, not parted. */
const OPEN_MOUTH = 0.5;

/** What the picture shows of a face. */
interface RefinedFace {
  /** With the attention mesh's landmarks, where the mouth is open or the eyes are closed. */
  readonly face: ChosenFace;
  readonly eyesClosed: boolean;
}

/** Looks at a face once more. */
export async function refineFace(
  image: RgbImage,
  face: ChosenFace,
  finder: Pick<FaceFinder, 'preciseLandmarksInRegion'>,
): Promise<RefinedFace> {
  const { points } = await finder.preciseLandmarksInRegion(image, regionFromLandmarks(face.landmarks));
  const precise = portraitFaceOf(points, image.width, image.height);
  const eyesClosed = ([0, 1] as const).every((eye) => eyeAperture(precise.mesh, eye) < CLOSED_EYE);
  if (!eyesClosed && lipOpening(precise.mesh) < OPEN_MOUTH) return { face, eyesClosed };
  return {
    face: { ...face, ...portraitFaceOf(unfoldedChin(points), image.width, image.height) },
    eyesClosed,
  };
}

/** Outer corners of the eyes. */
const [RIGHT_EYE, LEFT_EYE] = [33, 263] as const;

/**
 * Landmarks [468 · 3] px whose skin below the lower lip lies below it. The mesh looks at lips a second time, at the skin around them not: it
 * sets a lip that shouts over that, and a warp that takes both along would draw them folded.
 */
function unfoldedChin(points: Float64Array): Float64Array {
  const { vertices } = loadFaceMesh();
  const across = (from: ArrayLike<number>, axis: 0 | 1): number =>
    from[3 * LEFT_EYE + axis]! - from[3 * RIGHT_EYE + axis]!;
  // One centimetre of the canonical face to the picture's right, and, a quarter turn back, upwards.
  const [x, y] = [0, 1].map((axis) => across(points, axis as 0 | 1) / across(vertices, 0)) as [
    number,
    number,
  ];
  const scale = x * x + y * y;
  const offsets = new Float32Array(points.length);
  for (let i = 0; i < points.length; i += 3) {
    offsets[i + 1] = (points[i]! * y - points[i + 1]! * x) / scale - vertices[i + 1]!;
  }
  const kept = offsets.slice();
  keepOrder(vertices, kept);
  return points.map((value, i) => {
    const axis = i % 3;
    if (axis === 2) return value;
    const at = i - axis + 1;
    return value + (kept[at]! - offsets[at]!) * (axis === 0 ? y : -x);
  });
}

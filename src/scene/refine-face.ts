/**
 * Mouths that stand open and eyes that are shut, as the attention mesh sees them: the plain mesh, with which the networks
 * were trained, hardly sees a mouth that is wide open, and no eye that is closed.
 */
import type { FaceFinder } from '../face/face-finder.ts';
import { type ChosenFace, portraitFaceOf } from '../face/portrait-face.ts';
import { regionFromLandmarks } from '../face/region.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { lipOpening } from '../motion/expression-basis.ts';
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
  return { face: { ...face, ...precise }, eyesClosed };
}

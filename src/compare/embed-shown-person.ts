/** The person whom a clip shows, as an embedding that its frames are compared with. */
import type { FoundFace } from '../face/face-finder.ts';
import { loadImage } from '../image/load-image.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { readFrames } from '../media/read-frames.ts';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import { findFfmpeg } from '../pipeline/machine-places.ts';
import { shownFile } from '../pipeline/resolve-options.ts';

/** Frames of a film in which a face is looked for. */
const LOOKED_AT = 25;

/** As much of a face finder as is used. */
interface Finder {
  findPortrait(picture: RgbImage): Promise<readonly Pick<FoundFace, 'landmarks'>[]>;
}

/** As much of an embedder as is used. */
interface Embedder {
  embed(picture: RgbImage, landmarks: FoundFace['landmarks']): Promise<Float32Array>;
}

/**
 * The embedding of the person who is shown, by the portrait or by the first frames of the film; undefined where no face is seen.
 *
 * @throws {@link MediaError} if the file cannot be read.
 */
export async function embedShownPerson(
  options: Pick<AnimateOptions, 'portrait' | 'source' | 'ffmpegPath'>,
  finder: Finder,
  embedder: Embedder,
): Promise<Float32Array | undefined> {
  const embed = async (picture: RgbImage): Promise<Float32Array | undefined> => {
    const face = (await finder.findPortrait(picture))[0];
    return face && embedder.embed(picture, face.landmarks);
  };
  const file = shownFile(options);
  if (options.portrait !== undefined) return embed(await loadImage(file));
  let frames = 0;
  for await (const frame of readFrames(file, { ffmpeg: await findFfmpeg(options.ffmpegPath) })) {
    const found = await embed(frame);
    if (found !== undefined || ++frames === LOOKED_AT) return found;
  }
  return undefined;
}

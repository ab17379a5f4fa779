/** The main job: a portrait and a speech recording become a talking video. */
import type { AnimateOptions, AnimateResult } from './animate-options.ts';
import { networksOf } from './job-networks.ts';
import type { PreparedClip } from './prepare-clip.ts';
import { Studio } from './studio.ts';

/**
 * Renders a talking video. Nothing appears under the output's name until it is complete; on any error, and when
 * `signal` aborts, nothing is left behind and all threads and child processes have ended.
 *
 * @throws {@link InvalidOptionsError} that names all options that are wrong.
 * @throws {@link MediaError} if a file cannot be read or written.
 * @throws {@link FaceError} if the portrait has no face that can be animated.
 * @throws {@link ModelError} if the bundle is incomplete or damaged.
 * @throws {@link EnvironmentError} if there is no ffmpeg, or the named device does not work.
 * @throws {@link SubprocessError} if the encoder fails.
 * @throws {@link NumericalError} if the denoiser's output is not finite.
 * @throws `signal.reason` if it aborts.
 * @example
 * const { output, frames } = await animate({ portrait: 'face.jpg', audio: 'speech.wav', output: 'talk.mp4' });
 */
export async function animate(options: AnimateOptions): Promise<AnimateResult> {
  const studio = Studio.forOptions(options);
  let clip: PreparedClip | undefined;
  try {
    clip = await studio.prepare(options, networksOf);
    return await studio.render(clip);
  } finally {
    await clip?.dispose();
    await studio.dispose();
  }
}

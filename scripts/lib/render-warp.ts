/** The portrait moved by its mesh alone: what a clip is before the denoiser adds anything. */
import { VideoWriter } from '../../src/media/video-writer.ts';
import type { AnimateOptions } from '../../src/pipeline/animate-options.ts';
import type { PreparedClip } from '../../src/pipeline/prepare-clip.ts';
import { Studio } from '../../src/pipeline/studio.ts';

/** Renders the clip that `animate` makes of these options, with a difference of nothing for every frame. */
export async function renderWarp(options: AnimateOptions): Promise<{ frames: number; fps: number }> {
  const studio = Studio.forOptions(options);
  let clip: PreparedClip | undefined;
  let writer: VideoWriter | undefined;
  try {
    clip = await studio.prepare(options);
    const { job, scene } = clip;
    const { ffmpeg, output, frames, fps, bundle } = job;
    const { width, height } = scene;
    writer = await VideoWriter.open({ ffmpeg, outputPath: output, width, height, fps, frames, force: true });
    const values = 3 * bundle.description.resolution ** 2;
    for (let frame = 0; frame < frames; frame++) {
      await writer.write(await scene.compose(frame, new Float32Array(values)));
    }
    await writer.finish();
    return { frames, fps };
  } finally {
    await writer?.dispose();
    await clip?.dispose();
    await studio.dispose();
  }
}

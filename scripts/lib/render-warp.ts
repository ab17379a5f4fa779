/** The portrait moved by its mesh alone: what a clip is before the denoiser adds anything. */
import { VideoWriter } from '../../src/media/video-writer.ts';
import type { PreparedClip } from '../../src/pipeline/prepare-clip.ts';

/** Renders a prepared clip to its output, with a difference of nothing for every frame. The clip stays the caller's. */
export async function renderWarp({ job, scene }: PreparedClip): Promise<void> {
  const { ffmpeg, output, frames, fps, bundle } = job;
  const { width, height } = scene;
  const writer = await VideoWriter.open({
    ffmpeg,
    outputPath: output,
    width,
    height,
    fps,
    frames,
    force: true,
  });
  try {
    const values = 3 * bundle.description.resolution ** 2;
    for (let frame = 0; frame < frames; frame++) {
      await writer.write(await scene.compose(frame, new Float32Array(values)));
    }
    await writer.finish();
  } finally {
    await writer.dispose();
  }
}

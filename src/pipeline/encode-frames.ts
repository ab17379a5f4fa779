/** From pictures to the video, which gets its name when it is complete. */
import { LiveWriter } from '../media/live-writer.ts';
import { VideoWriter } from '../media/video-writer.ts';
import { isTransparent } from '../scene/background-words.ts';
import type { Scene } from '../scene/scene.ts';
import type { ComposedFrame } from './compose-frames.ts';
import type { Job } from './open-job.ts';
import type { ClipProgress } from './progress.ts';
import type { Stopwatch } from './stopwatch.ts';

/** x264's quality for films whose surroundings are to stay as they were: beyond what an eye can tell apart. */
const SOURCE_CRF = 10;

/**
 * Opens the video of a clip; the caller's to dispose of.
 *
 * @param beforePublish - called with the complete video before it gets its name.
 * @throws {@link SubprocessError} if the encoder does not start.
 */
export function openVideo(
  { options, output, ffmpeg, sampling, sound, fps, frames }: Job,
  { width, height }: Pick<Scene, 'width' | 'height'>,
  beforePublish?: (partial: string) => Promise<void>,
): Promise<VideoWriter> {
  return VideoWriter.open({
    ffmpeg,
    outputPath: output,
    width,
    height,
    fps,
    frames,
    sound,
    force: options.overwrite,
    crf: options.crf ?? (options.source === undefined ? undefined : SOURCE_CRF),
    stream: options.stream,
    transparent: isTransparent(options),
    metadata: { comment: `lcm-portrait, ${sampling.sampler} ${sampling.steps} steps, seed ${options.seed}` },
    beforePublish,
    signal: options.signal,
  });
}

/** Opens the video of a clip that can be seen while the rest is made, if there can be one; the caller's to dispose of. */
export async function openLive(
  { options, ffmpeg, sound, fps, frames }: Job,
  { width, height }: Pick<Scene, 'width' | 'height'>,
  path: string,
): Promise<LiveWriter | undefined> {
  if (isTransparent(options)) return undefined; // no such video can be watched in pieces
  return LiveWriter.open({
    ffmpeg,
    path,
    width,
    height,
    fps,
    frames,
    sound,
    signal: options.signal,
    onNotice: (message) => options.onProgress?.({ type: 'notice', message }),
  });
}

/** Bytes of pictures that the video may be behind what is watched: a second of a small one, a few frames of a large one. */
const BEHIND_BYTES = 24e6;

/** Options of {@link encodeFrames}. */
interface EncodeFramesOptions {
  readonly video: Pick<VideoWriter, 'write'>;
  /** Gets every frame as well. */
  readonly live?: Pick<LiveWriter, 'write'> | undefined;
  readonly watch: Stopwatch;
  readonly progress: Pick<ClipProgress, 'frameDone'>;
}

/**
 * Encodes all frames, in order. Who watches gets a frame as soon as it is there: the video, whose encoder leaves the processor to the
 * networks, may be behind then.
 *
 * @throws {@link SubprocessError} if the encoder fails.
 */
export async function encodeFrames(
  frames: AsyncIterable<ComposedFrame>,
  { video, live, watch, progress }: EncodeFramesOptions,
): Promise<void> {
  const behind: Promise<void>[] = [];
  let last = Promise.resolve();
  for await (const { picture, release } of frames) {
    await watch.time('encode', async () => {
      last = last.then(() => video.write(picture));
      last.catch(() => {}); // thrown where it is waited for
      behind.push(last);
      await live?.write(picture);
      last.then(release, () => {});
      const most = live === undefined ? 0 : Math.floor(BEHIND_BYTES / picture.data.length);
      while (behind.length > most) await behind.shift();
    });
    progress.frameDone();
  }
  await watch.time('encode', () => last);
}

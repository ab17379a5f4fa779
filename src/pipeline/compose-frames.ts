/** From decoded frames to pictures of the video. */
import type { ComposedPicture, Scene } from '../scene/scene.ts';
import type { DecodedFrame } from './decode-frames.ts';
import type { Stopwatch } from './stopwatch.ts';

/** A frame as the video has it. */
export interface ComposedFrame extends Pick<DecodedFrame, 'frame' | 'latents'> {
  readonly picture: ComposedPicture;
  /** To be called when the picture is not looked at any more: another may get its memory, and it is empty then. */
  readonly release: () => void;
}

/** Options of {@link composeFrames}. */
interface ComposeFramesOptions {
  readonly scene: Pick<Scene, 'compose'>;
  readonly watch: Stopwatch;
  readonly signal?: AbortSignal | undefined;
}

/** Composes one frame after another; its time counts as decoding. */
export async function* composeFrames(
  frames: AsyncIterable<DecodedFrame>,
  { scene, watch, signal }: ComposeFramesOptions,
): AsyncGenerator<ComposedFrame> {
  // Fresh memory costs more than most of what is written into it, and makes the garbage collector run.
  let spare: Uint8Array | undefined;
  for await (const { frame, latents, decoded } of frames) {
    signal?.throwIfAborted();
    const memory = spare;
    spare = undefined;
    const picture = await watch.time('decode', () => scene.compose(frame, decoded, memory));
    const release = (): void => {
      spare = picture.data;
    };
    yield { frame, latents, picture, release };
  }
}

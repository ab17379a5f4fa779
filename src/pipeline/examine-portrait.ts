/** Whether a portrait can be animated: its face is found, as it is for a clip, and let go. */
import { sceneViewOf } from '../scene/scene.ts';
import type { AnimateOptions } from './animate-options.ts';
import type { FrameThread } from './frame-thread.ts';
import { openNamedBundle } from './machine-places.ts';
import { resolveOptions, shownFile } from './resolve-options.ts';

/**
 * Looks at the picture that a clip shows.
 *
 * @throws what opening the clip would throw of its bundle and its picture.
 */
export async function examinePortrait(options: AnimateOptions, frameThread: FrameThread): Promise<void> {
  const resolved = resolveOptions(options);
  const { description } = await openNamedBundle(resolved);
  const portrait = await frameThread.openPortrait({
    path: shownFile(resolved),
    resolution: description.resolution,
    framing: resolved.framing,
    view: sceneViewOf(description),
    signal: resolved.signal,
  });
  await portrait.dispose();
}

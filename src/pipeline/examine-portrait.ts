/** Whether a portrait can be animated: its face is found, as it is for a clip, and let go. */
import { atResolution } from '../models/bundle-size.ts';
import type { AnimateOptions } from './animate-options.ts';
import type { FrameThread } from './frame-thread.ts';
import { openNamedBundle } from './machine-places.ts';
import { portraitRequest } from './portrait-request.ts';
import { resolveOptions } from './resolve-options.ts';

/**
 * Looks at the picture that a clip shows.
 *
 * @throws what opening the clip would throw of its bundle and its picture.
 */
export async function examinePortrait(options: AnimateOptions, frameThread: FrameThread): Promise<void> {
  const resolved = resolveOptions(options);
  const bundle = atResolution(await openNamedBundle(resolved), resolved.resolution);
  const portrait = await frameThread.openPortrait(portraitRequest(bundle, resolved));
  await portrait.dispose();
}

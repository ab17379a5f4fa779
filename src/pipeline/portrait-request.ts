/** How the face of a still is found and shown: the same for a clip, and for a look at its picture before any clip is made. */
import type { Bundle } from '../models/bundle.ts';
import { sceneViewOf } from '../scene/scene.ts';
import { readShape } from '../scene/video-shape.ts';
import { type ResolvedOptions, shownFile } from './resolve-options.ts';

/** Names of the options that {@link portraitRequest} reads, but for the picture itself. */
export const PORTRAIT_OPTIONS = [
  ...(['bundle', 'bundleStore', 'resolution', 'framing', 'face', 'size', 'aspect', 'fit'] as const),
  ...(['background', 'poseVideo'] as const),
] satisfies readonly (keyof ResolvedOptions)[];

/** What the frame thread is asked for. @param bundle - at the clip's resolution. */
export function portraitRequest(bundle: Bundle, options: ResolvedOptions) {
  const { description } = bundle;
  return {
    path: shownFile(options),
    resolution: description.resolution,
    // What is drawn lies in the whole picture, wherever the portrait's face is in it.
    ...(options.poseVideo === undefined
      ? { framing: options.framing }
      : { framing: 'crop' as const, centred: true }),
    view: sceneViewOf(description),
    face: options.face,
    shape: readShape(options),
    background: options.background,
    signal: options.signal,
  };
}

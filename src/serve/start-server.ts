/** A server with studios, as the command line starts it. */
import { listBundles } from '../bundles/bundle-store.ts';
import { studioRenderer } from '../jobs/studio-renderer.ts';
import { defaultBundleStore } from '../pipeline/machine-places.ts';
import { compareInThread } from './compare-thread.ts';
import { findSample } from './samples.ts';
import type { ServeOptions } from './serve-options.ts';
import { type RunningServer, type ServeParts, startServer } from './server.ts';
import { StudioPlanner } from './studio-planner.ts';

const SAMPLE_CLIP = { portrait: 'sample:ada.jpg', audio: 'sample:short.wav' } as const;

/**
 * Serves the page and the API until it is stopped.
 *
 * @throws what {@link startServer} throws.
 */
export function serveStudio(
  options: ServeOptions,
  { version, env }: Pick<ServeParts, 'version' | 'env'>,
): Promise<RunningServer> {
  const { device, threads, bundleStore, onEvent } = options;
  return startServer(options, {
    version,
    env,
    openRenderer: async ({ onNotice }) =>
      studioRenderer({
        ...(device !== undefined && { device }),
        ...(threads !== undefined && { threads }),
        onNotice,
      }),
    planner: new StudioPlanner({
      ...(device !== undefined && { device }),
      ...(threads !== undefined && { threads }),
      onNotice: (message) => onEvent?.({ type: 'notice', message }),
    }),
    compare: (compareOptions) =>
      compareInThread({
        ...compareOptions,
        ...(device !== undefined && { device }),
        ...(threads !== undefined && { threads }),
      }),
    warmUpClip: {
      portrait: findSample(SAMPLE_CLIP.portrait)!.path,
      audio: findSample(SAMPLE_CLIP.audio)!.path,
    },
    listBundles: () => listBundles(bundleStore ?? defaultBundleStore()),
  });
}

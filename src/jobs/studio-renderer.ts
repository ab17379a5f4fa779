/** Renders jobs in a studio. */
import { networksOf } from '../pipeline/job-networks.ts';
import { Studio, type StudioOptions } from '../pipeline/studio.ts';
import type { ClipRenderer } from './clip-renderer.ts';

/** A studio as jobs see it; disposing of it ends the studio. */
export function studioRenderer(options: StudioOptions): ClipRenderer {
  const studio = new Studio(options);
  return {
    examine: (clipOptions) => studio.examine(clipOptions),
    async prepare({ options: clipOptions, checkpoints, beforePublish, livePath }) {
      const clip = await studio.prepare(clipOptions, networksOf);
      const { frames, fps } = clip.job;
      const { width, height } = clip.scene;
      return {
        frames,
        fps,
        width,
        height,
        render: () => studio.render(clip, { checkpoints, beforePublish, livePath }),
        dispose: () => clip.dispose(),
      };
    },
    dispose: () => studio.dispose(),
  };
}

/** A renderer without networks: what it does with a job is decided by the test. */
import { open, rename, rm } from 'node:fs/promises';
import PQueue from 'p-queue';
import { partialPath } from '../../src/files/partial-name.ts';
import type { ClipRenderer, PreparedRender, RenderRequest } from '../../src/jobs/clip-renderer.ts';
import type { AnimateOptions, AnimateResult } from '../../src/pipeline/animate-options.ts';
import { clipResult } from './clip-result.ts';

/** What a test wants to happen; all of it may throw or wait. */
export interface FakeBehaviour {
  readonly onExamine?: (options: AnimateOptions) => Promise<void> | void;
  readonly onPrepare?: (request: RenderRequest) => Promise<void> | void;
  readonly onRender?: (request: RenderRequest) => Promise<void> | void;
  readonly onDispose?: () => void;
}

/** Opens renderers that write the names of their inputs as videos of 10 frames. */
export function fakeRenderer({
  onExamine,
  onPrepare,
  onRender,
  onDispose,
}: FakeBehaviour = {}): ClipRenderer {
  const turns = new PQueue({ concurrency: 1 });
  return {
    ...(onExamine && { examine: async (options: AnimateOptions) => onExamine(options) }),
    async prepare(request): Promise<PreparedRender> {
      await onPrepare?.(request);
      const { options, beforePublish } = request;
      return {
        frames: 10,
        fps: 25,
        width: 64,
        height: 48,
        async render(): Promise<AnimateResult> {
          return turns.add(async () => {
            options.onProgress?.({ type: 'stage', stage: 'render' });
            const partial = partialPath(options.output);
            const file = await open(partial, 'wx');
            try {
              await onRender?.(request);
              options.signal?.throwIfAborted();
              await file.writeFile(`${options.portrait} ${options.audio} ${options.seed ?? 42}`);
              await beforePublish(partial);
              await rename(partial, options.output);
            } finally {
              await file.close();
              await rm(partial, { force: true });
            }
            return clipResult({
              output: options.output,
              frames: 10,
              width: 64,
              height: 48,
              denoisedFrames: 1,
            });
          });
        },
        async dispose() {},
      };
    },
    async dispose() {
      onDispose?.();
    },
  };
}

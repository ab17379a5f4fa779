/**
 * A renderer that denoises for real, window by window and from checkpoints, but with arithmetic in place of networks. The
 * video is the latents' bytes, so a bit that was lost shows.
 */
import { link, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { atEveryStep, countWindowSteps, planContextWindows } from '../../src/denoising/context-windows.ts';
import { denoiseClip } from '../../src/denoising/denoise-clip.ts';
import { partialPath } from '../../src/files/partial-name.ts';
import type { ClipRenderer, PreparedRender } from '../../src/jobs/clip-renderer.ts';
import { createScheduler } from '../../src/schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import { clipResult } from './clip-result.ts';

const FRAMES = 42;
const SIZE = { contextFrames: 6, contextOverlap: 2 };
const FRAME_SHAPE = [2, 3, 4] as const;
const STEPS = 3;

/** @param stepMs - how long an evaluation takes. */
export function denoisingRenderer(stepMs: number): ClipRenderer {
  return {
    async prepare({ options, checkpoints, beforePublish }): Promise<PreparedRender> {
      const { output, seed = 42, signal, onProgress, overwrite } = options;
      const windows = atEveryStep(planContextWindows(FRAMES, SIZE), STEPS);
      return {
        ...{ frames: FRAMES, fps: 25, width: 3, height: 4 },
        async render() {
          onProgress?.({ type: 'stage', stage: 'render' });
          const shape = {
            frames: FRAMES,
            windows: windows[0]!.length,
            steps: STEPS,
            frameShape: FRAME_SHAPE,
          };
          let stepsDone = 0;
          const latents: Uint8Array[] = [];
          const frames = denoiseClip({
            denoiser: {
              async conditional({ data, dims }, timestep) {
                await sleep(stepMs);
                const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
                return { data: data.map((x, i) => Math.sin(x + i * mean) + 1e-3 * timestep * mean), dims };
              },
            },
            scheduler: createScheduler({
              sampler: 'lcm',
              numInferenceSteps: STEPS,
              noiseSchedule: createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true }),
              predictionType: 'v_prediction',
              timestepSpacing: 'trailing',
            }),
            guidanceScale: 1,
            windows,
            frameShape: FRAME_SHAPE,
            seed,
            sharedFraction: 0.5,
            signal,
            resume: await checkpoints.load({ ...shape, device: 'cpu' }),
            onSavePoint: (point) => checkpoints.save(point),
            onStep: () => {
              stepsDone += 1;
              onProgress?.({
                type: 'frames',
                ...{ framesDone: latents.length, framesTotal: FRAMES, framesPerSecond: 1 },
                ...{ stepsDone, stepsTotal: countWindowSteps(windows) },
                fraction: stepsDone / countWindowSteps(windows),
              });
            },
          });
          for await (const { latents: tensor } of frames) {
            latents.push(new Uint8Array(tensor.data.slice().buffer));
          }
          const partial = partialPath(path.resolve(output));
          await writeFile(partial, Buffer.concat(latents));
          await beforePublish(partial);
          if (overwrite) await rename(partial, output);
          else await link(partial, output).finally(() => rm(partial, { force: true }));
          return clipResult({
            ...{ output, seed, frames: FRAMES, width: 3, height: 4 },
            ...{ steps: STEPS, denoisedFrames: 1, denoiserEvaluations: stepsDone },
          });
        },
        async dispose() {},
      };
    },
    async dispose() {},
  };
}

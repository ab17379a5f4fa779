/** A renderer that draws: real videos, also while they are made, without networks. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import { FaceError } from '../../src/errors.ts';
import type { ClipRenderer, PreparedRender } from '../../src/jobs/clip-renderer.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { LiveWriter } from '../../src/media/live-writer.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { VideoWriter } from '../../src/media/video-writer.ts';
import { clipResult } from '../jobs/clip-result.ts';

const SIZE = { width: 128, height: 128, fps: 25 };

/** A square that moves over colours. */
export function drawFrame(frame: number): { data: Uint8Array; width: number; height: number } {
  const { width, height } = SIZE;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isInside = Math.abs(x - ((frame * 2) % width)) < 12 && Math.abs(y - 64) < 12;
      data.set(isInside ? [255, 255, 255] : [x * 2, y * 2, (frame * 3) % 256], (y * width + x) * 3);
    }
  }
  return { data, width, height };
}

/** Waits as long as a file is there; tests hold work with it at a place that no machine is too slow to see. */
export async function waitWhile(file: string | undefined, signal: AbortSignal | undefined): Promise<void> {
  while (file !== undefined && existsSync(file)) await sleep(20, undefined, { signal });
}

/**
 * @param frameMs - how long a frame takes.
 * @param holdFile - while it is there, clips stop after two thirds of their frames.
 */
export function drawingRenderer(frames: number, frameMs: number, holdFile?: string): ClipRenderer {
  const turns = new PQueue({ concurrency: 1 });
  return {
    async prepare({ options, beforePublish, livePath }): Promise<PreparedRender> {
      const { output, signal, onProgress, audio, overwrite = false } = options;
      const ffmpeg = await locateFfmpeg({ env: process.env });
      if (options.seed === 13)
        throw new FaceError('Cannot animate it: expected a face', options.portrait!, 'no-face');
      onProgress?.({ type: 'notice', message: `the portrait ${options.portrait} is looked at` });
      const render = async () => {
        const { track } = await readAudio(audio!, { ffmpeg });
        const shared = { ...SIZE, ffmpeg, frames, sound: track, signal };
        const video = await VideoWriter.open({
          ...shared,
          outputPath: output,
          beforePublish,
          force: overwrite,
        });
        const live = await LiveWriter.open({ ...shared, path: livePath!, onNotice: () => {} });
        onProgress?.({ type: 'stage', stage: 'render' });
        try {
          for (let frame = 0; frame < frames; frame++) {
            await sleep(frameMs, undefined, { signal });
            if (frame * 3 > frames * 2) await waitWhile(holdFile, signal);
            await Promise.all([video.write(drawFrame(frame)), live.write(drawFrame(frame))]);
            const done = frame + 1;
            onProgress?.({
              type: 'frames',
              ...{ framesDone: done, framesTotal: frames, stepsDone: done, stepsTotal: frames },
              ...{ fraction: done / frames, framesPerSecond: 1000 / frameMs },
              remaining: ((frames - done) * frameMs) / 1000,
            });
          }
          await live.finish();
          await video.finish();
        } finally {
          await live.dispose();
          await video.dispose();
        }
        return clipResult({ ...SIZE, output, frames });
      };
      return { ...SIZE, frames, render: () => turns.add(render), dispose: async () => {} };
    },
    async dispose() {},
  };
}

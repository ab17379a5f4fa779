/** Comparisons without networks: the report of an example, with videos that are drawn. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { reportPage } from '../../src/compare/page/report-page.ts';
import { SCRIPT, STYLE } from '../../src/compare/page/style.ts';
import { REPORT_FILES, videoOf } from '../../src/compare/report-folder.ts';
import { FaceError } from '../../src/errors.ts';
import { pageStyle } from '../../src/html/page.ts';
import { encodeImage } from '../../src/image/encode-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { VideoWriter } from '../../src/media/video-writer.ts';
import type { Compare } from '../../src/serve/comparison-work.ts';
import { EXAMPLE_REPORT } from '../compare/example-report.ts';
import { drawFrame, waitWhile } from './drawing-renderer.ts';

const EVALUATIONS = 20;
const FRAMES = 25;
const SHOWN = ['original', 'fast'];

async function drawVideo(outputPath: string): Promise<void> {
  await mkdir(path.dirname(outputPath), { recursive: true });
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const { width, height } = drawFrame(0);
  const video = await VideoWriter.open({
    ...{ ffmpeg, outputPath, width, height, fps: 25, frames: FRAMES, sound: undefined, force: true },
  });
  try {
    for (let frame = 0; frame < FRAMES; frame++) await video.write(drawFrame(frame));
    await video.finish();
  } finally {
    await video.dispose();
  }
}

/**
 * @param stepMs - how long an evaluation of the denoiser takes.
 * @param holdFile - while it is there, no comparison ends.
 */
export function drawingCompare(stepMs: number, holdFile?: string): Compare {
  return async ({ output, portrait, audio, seed, fileNames = {}, signal, onProgress }) => {
    signal?.throwIfAborted();
    if (seed === 13) throw new FaceError(`Cannot use ${portrait}: expected a face`, portrait!, 'no-face');
    onProgress?.({ type: 'stage', stage: 'prepare' });
    onProgress?.({ type: 'notice', message: `the portrait ${portrait} is looked at` });
    onProgress?.({ type: 'stage', stage: 'load' });
    onProgress?.({ type: 'stage', stage: 'render' });
    for (let done = 1; done <= EVALUATIONS; done++) {
      await sleep(stepMs, undefined, { signal });
      const remaining = ((EVALUATIONS - done) * stepMs) / 1000;
      onProgress?.({
        ...{ type: 'evaluations', done, total: EVALUATIONS, fraction: done / EVALUATIONS, remaining },
      });
    }
    await waitWhile(holdFile, signal);
    onProgress?.({ type: 'stage', stage: 'write' });
    const { clip } = EXAMPLE_REPORT;
    const report = {
      ...EXAMPLE_REPORT,
      clip: { ...clip, portrait: fileNames[portrait!] ?? portrait!, audio: fileNames[audio!] ?? audio! },
    };
    for (const id of SHOWN) await drawVideo(path.join(output, videoOf(id)));
    await drawVideo(path.join(output, REPORT_FILES.sideBySide));
    const picture = await encodeImage(drawFrame(7), 'jpeg', 80);
    const page = reportPage({
      report,
      strip: {
        ...{ of: 'fast', against: 'original', amplification: 8 },
        rows: [{ frame: 7, of: picture, against: picture, difference: picture }],
      },
      videos: SHOWN.map((id) => ({ id, path: videoOf(id), bytes: undefined })),
      sideBySide: REPORT_FILES.sideBySide,
      ...{ style: REPORT_FILES.style, script: REPORT_FILES.script },
    });
    await writeFile(path.join(output, REPORT_FILES.html), page);
    await writeFile(path.join(output, REPORT_FILES.style), pageStyle(STYLE));
    await writeFile(path.join(output, REPORT_FILES.script), SCRIPT);
    await writeFile(path.join(output, REPORT_FILES.json), JSON.stringify(report));
    return report;
  };
}

/** Films of drawn faces: every frame is said where it shows what. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';

/** Writes pictures of one size as a film. @param args - options of the output, before its name. */
export async function writeFilm(
  ffmpeg: FfmpegInfo,
  output: string,
  frames: readonly RgbImage[],
  fps: number,
  args: readonly string[] = [],
): Promise<string> {
  const { width, height } = frames[0]!;
  const child = spawn(
    ffmpeg.path,
    [
      ...['-v', 'error', '-y', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`],
      ...['-r', String(fps), '-i', 'pipe:0', ...args, output],
    ],
    { stdio: ['pipe', 'ignore', 'inherit'] },
  );
  const ended = once(child, 'close');
  for (const { data } of frames) {
    if (!child.stdin.write(data)) await Promise.race([once(child.stdin, 'drain'), ended]);
  }
  child.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`ffmpeg ended with ${code}`);
  return output;
}

/** A picture of one colour with pictures on it. */
export function onCanvas(
  width: number,
  height: number,
  parts: readonly { readonly image: RgbImage; readonly x: number; readonly y: number }[],
  grey = 110,
): RgbImage {
  const data = new Uint8Array(width * height * 3).fill(grey);
  for (const { image, x: left, y: top } of parts) {
    for (let y = Math.max(0, -top); y < Math.min(image.height, height - top); y++) {
      const from = Math.max(0, -left);
      const to = Math.min(image.width, width - left);
      if (to <= from) continue;
      const row = image.data.subarray((y * image.width + from) * 3, (y * image.width + to) * 3);
      data.set(row, ((top + y) * width + left + from) * 3);
    }
  }
  return { data, width, height };
}

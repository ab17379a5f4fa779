/** Videos of finished frames: of one variant, and of two side by side. */
import { drawLabel } from '../image/draw-label.ts';
import { resizeImage } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { FfmpegInfo } from '../media/ffmpeg-path.ts';
import type { SoundTrack } from '../media/sound-track.ts';
import { VideoWriter } from '../media/video-writer.ts';
import { secondsSince } from './clock.ts';
import type { FrameSpool } from './frame-spool.ts';

/** What all videos of a report share. */
interface VideoSettings {
  readonly ffmpeg: FfmpegInfo;
  readonly fps: number;
  readonly sound: SoundTrack | undefined;
  readonly comment: string;
  readonly signal?: AbortSignal | undefined;
}

/** Panels that are higher are made smaller. */
const MAX_PANEL_HEIGHT = 720;
const LABEL_HEIGHT = 40;

async function writeVideo(
  outputPath: string,
  size: { readonly width: number; readonly height: number },
  frames: number,
  { ffmpeg, fps, sound, comment, signal }: VideoSettings,
  frameAt: (index: number) => Promise<RgbImage>,
): Promise<number> {
  let reading = 0;
  const begin = performance.now();
  const writer = await VideoWriter.open({
    ffmpeg,
    outputPath,
    ...size,
    fps,
    frames,
    sound,
    signal,
    force: true,
    metadata: { comment },
  });
  try {
    for (let index = 0; index < frames; index++) {
      const start = performance.now();
      const frame = await frameAt(index);
      reading += secondsSince(start);
      await writer.write(frame);
    }
    await writer.finish();
    return secondsSince(begin) - reading;
  } finally {
    await writer.dispose();
  }
}

/**
 * Encodes a variant's frames.
 *
 * @returns seconds, without reading the frames from disk.
 */
export function encodeClip(outputPath: string, frames: FrameSpool, settings: VideoSettings): Promise<number> {
  const { width, height } = frames.size;
  return writeVideo(outputPath, { width, height }, frames.count, settings, (index) => frames.read(index));
}

/** A clip with the words above it. */
interface Panel {
  readonly label: string;
  readonly frames: FrameSpool;
}

/** Encodes clips of one size side by side. */
export async function writeSideBySide(
  outputPath: string,
  panels: readonly Panel[],
  settings: VideoSettings,
): Promise<void> {
  const { width, height } = panels[0]!.frames.size;
  const scale = Math.min(1, MAX_PANEL_HEIGHT / height);
  const panelWidth = Math.round((width * scale) / 2) * 2;
  const panelHeight = Math.round((height * scale) / 2) * 2;
  const size = { width: panelWidth * panels.length, height: panelHeight + LABEL_HEIGHT };
  const labels = await Promise.all(panels.map(({ label }) => drawLabel(label, panelWidth, LABEL_HEIGHT)));
  const place = (canvas: Uint8Array, picture: RgbImage, left: number, top: number): void => {
    for (let y = 0; y < picture.height; y++) {
      const row = picture.data.subarray(y * picture.width * 3, (y + 1) * picture.width * 3);
      canvas.set(row, ((top + y) * size.width + left) * 3);
    }
  };
  const count = Math.min(...panels.map(({ frames }) => frames.count));
  await writeVideo(outputPath, size, count, settings, async (index) => {
    const data = new Uint8Array(size.width * size.height * 3);
    for (const [i, { frames }] of panels.entries()) {
      const frame = await frames.read(index);
      const fitted = scale === 1 ? frame : resizeImage(frame, panelWidth, panelHeight, 'area');
      place(data, labels[i]!, i * panelWidth, 0);
      place(data, fitted, i * panelWidth, LABEL_HEIGHT);
    }
    return { data, ...size };
  });
}

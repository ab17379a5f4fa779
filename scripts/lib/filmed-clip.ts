/** A filmed clip as a scene: one of its frames is the portrait, its landmarks are the motion, and its frames are the truth. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { squareCrop } from '../../src/face/crop.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { drawPoseImage, resizePoseImage } from '../../src/face/pose-image.ts';
import { PortraitWarp } from '../../src/face/warp.ts';
import { cropSquare } from '../../src/image/crop.ts';
import { type SeenPicture, toPlanar } from '../../src/image/planar.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import type { FrameConditions, SceneReference } from '../../src/models/frame-conditions.ts';

/** Side of the films of the data, and of what the networks see. */
export const FILM_SIZE = 256;
/** The warp samples from somewhat more pixels than it shows, as when rendering. */
const SOURCE_SIZE = 384;
const POINTS = 468;
const PIXELS = FILM_SIZE ** 2;
/** The middles of the inner lips. */
const [UPPER_LIP, LOWER_LIP] = [13, 14];

/** See {@link openFilmedClip}. */
export interface FilmedClip {
  /** The square around the face, by frame. */
  readonly frames: readonly RgbImage[];
  /** [468, 2] in pixels of that square, by frame. */
  readonly points: readonly Float64Array[];
  /** By frame; what the warp shows is their `base`. */
  readonly conditions: readonly (FrameConditions & { readonly base: Uint8Array })[];
  readonly reference: SceneReference;
}

/** Where a film and its landmarks are. */
export interface FilmedClipFiles {
  readonly ffmpeg: string;
  /** Holds talking/. */
  readonly data: string;
  /** Holds what scripts/train/export_for_windows.py writes: [frames, 468, 3] float32 in pixels. */
  readonly landmarks: string;
}

function lipGap(points: Float64Array): number {
  const at = (point: number, axis: number): number => points[2 * point + axis]!;
  return Math.hypot(at(UPPER_LIP, 0) - at(LOWER_LIP, 0), at(UPPER_LIP, 1) - at(LOWER_LIP, 1));
}

/** Reads a film of the data and warps its frame with the most closed lips to all others. */
export function openFilmedClip(
  name: string,
  { ffmpeg, data, landmarks: folder }: FilmedClipFiles,
): FilmedClip {
  const film = path.join(data, 'talking', `${name}.mkv`);
  const raw = execFileSync(ffmpeg, ['-v', 'error', '-i', film, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'], {
    maxBuffer: 1 << 28,
  });
  const bytes = readFileSync(path.join(folder, `${name}.f32`));
  const landmarks = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const count = Math.min(raw.length / (PIXELS * 3), landmarks.length / (POINTS * 3));
  const coordinate = (frame: number, i: number): number =>
    landmarks[(frame * POINTS + (i >> 1)) * 3 + (i & 1)]!;

  // One square for the clip, around where the face is on average.
  const average = new Float64Array(POINTS * 2);
  for (let frame = 0; frame < count; frame++) {
    for (let i = 0; i < average.length; i++) average[i]! += coordinate(frame, i) / count;
  }
  const wanted = squareCrop(average, FILM_SIZE, FILM_SIZE);
  const size = Math.min(FILM_SIZE, wanted.side);
  const within = (start: number): number =>
    Math.min(FILM_SIZE - size, Math.max(0, Math.round(start + (wanted.side - size) / 2)));
  const square = { x: within(wanted.x), y: within(wanted.y), size };
  const points = Array.from({ length: count }, (_, frame) =>
    Float64Array.from(
      average,
      (_, i) => ((coordinate(frame, i) - (i & 1 ? square.y : square.x)) * FILM_SIZE) / size,
    ),
  );
  const pictureOf = (frame: number, side: number): RgbImage => {
    const picture = raw.subarray(frame * PIXELS * 3, (frame + 1) * PIXELS * 3);
    return cropSquare({ data: picture, width: FILM_SIZE, height: FILM_SIZE }, square, side);
  };

  const source = points.reduce((best, now, frame) => (lipGap(now) < lipGap(points[best]!) ? frame : best), 0);
  const warp = new PortraitWarp(
    pictureOf(source, SOURCE_SIZE),
    points[source]!.map((value) => (value * SOURCE_SIZE) / FILM_SIZE),
    loadFaceMesh().triangles,
  );
  const conditions = points.map((posed) => {
    const drawing = drawPoseImage(posed, { width: FILM_SIZE, height: FILM_SIZE });
    const warped = warp.render(posed, FILM_SIZE, FILM_SIZE);
    const { data: base } = warped.image;
    const seen: SeenPicture[] = [
      { data: resizePoseImage(drawing, FILM_SIZE, FILM_SIZE).data, channels: 3 },
      { data: base, channels: 3 },
      { data: warped.reliability, channels: 1 },
    ];
    return { conditions: seen, base };
  });
  return {
    frames: points.map((_, frame) => pictureOf(frame, FILM_SIZE)),
    points,
    conditions,
    reference: { picture: toPlanar(pictureOf(source, FILM_SIZE), new Float32Array(3 * PIXELS)) },
  };
}

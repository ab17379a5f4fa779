/**
 * Gives films another voice, and their own again, and measures what the viewer gets: what changed outside the lower face, whether
 * the mouth follows its new motion, how much the seam flickers, and how like itself a film is with its own sound.
 *
 *   node --import=tsx scripts/bench/revoice.ts FILM … [--audio FILE] [--bundle tiny] [--sheet OUT.jpg] [--output FILE.md]
 *
 * Without --audio, each film gets the sound of the next one. For numbers that mean something, use films of people that
 * nobody trained on.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { lowerFaceMask, type SoftMask } from '../../src/face/lower-face-mask.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { type FfmpegInfo, locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { psnrOfError } from '../../src/metrics/psnr.ts';
import { bestLag, correlation, deviation, mean } from '../../src/metrics/series.ts';
import { lipOpening } from '../../src/motion/expression-basis.ts';
import { MESH_VALUES, POSE_VALUES } from '../../src/motion/motion.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { filmFrameOf } from '../../src/scene/film-source.ts';
import { type FaceTrack, trackFilm } from '../../src/tracking/track-film.ts';
import { formatNumber, markdownTable } from '../lib/markdown-table.ts';
import { pictureGrid } from '../lib/picture-grid.ts';
import { writeReport } from '../lib/write-report.ts';

/** Frames of each film on the sheet. */
const SHEET_FRAMES = 6;
const SHEET_CELL = { width: 360, height: 300 };
/** The seam is where a change shows, but not wholly. */
const SEAM = [0.02, 0.6] as const;

const { values, positionals: films } = parseArgs({
  allowPositionals: true,
  options: {
    audio: { type: 'string' },
    bundle: { type: 'string', default: 'tiny' },
    sheet: { type: 'string' },
    output: { type: 'string' },
  },
});
if (films.length === 0) {
  console.error('Cannot measure: expected one or more films, got none');
  process.exit(2);
}

/** What one film gave. */
interface Measures {
  /** dB outside the lower face. */
  readonly outside: number;
  /** dB within it. */
  readonly inside: number;
  /** Opening in the video against the opening that drove it: correlation, lag in frames, ratio of deviations. */
  readonly r: number;
  readonly lag: number;
  readonly amplitude: number;
  /** Opening in the video against the film's own: correlation. */
  readonly ownR: number;
  /** Change from frame to frame on the seam, against the film's own. */
  readonly seam: number;
}

const ffmpeg = await locateFfmpeg({ env: process.env });
const engine = await Engine.open({ device: 'cpu' });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const studio = await Studio.open();
const folder = await mkdtemp(path.join(os.tmpdir(), 'revoice-'));
/** Two rows for each film: as it was, and with another voice. */
const sheet: RgbImage[][] = [];
try {
  const rows: string[][] = [];
  for (const [i, film] of films.entries()) {
    const other = values.audio ?? films[(i + 1) % films.length]!;
    for (const [kind, audio] of [
      ['another voice', other],
      ['its own', film],
    ] as const) {
      const output = path.join(folder, 'out.mp4');
      const driven = await render(film, audio, output);
      const measures = await measure(film, output, driven, kind === 'another voice');
      rows.push([`${path.basename(film)}, ${kind}`, ...describe(measures)]);
      console.error(rows.at(-1)!.join('  '));
    }
  }
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  await writeReport(values.output, [
    '# Films with another voice',
    '',
    `Measured by \`scripts/bench/revoice.ts\` at ${commit}, bundle ${values.bundle}. Outside: the picture but for a soft ellipse around mouth and chin,`,
    'against the film, encoding included. Opening: distance of the inner lips found in the video against the one that drove it.',
    'Seam: change from frame to frame where the ellipse fades out, against the same in the film.',
    '',
    markdownTable(
      [
        'film, voice',
        'outside, dB',
        'inside, dB',
        'opening r',
        'lag',
        'amplitude',
        "r with film's own",
        'seam',
      ],
      rows,
    ),
  ]);
  if (values.sheet !== undefined) await saveImage(values.sheet, pictureGrid(sheet, SHEET_CELL));
} finally {
  await studio.dispose();
  await engine.dispose();
  await rm(folder, { recursive: true, force: true });
}

function describe(measures: Measures): string[] {
  const { outside, inside, r, lag, amplitude, ownR, seam } = measures;
  return [
    ...[outside, inside].map((value) => formatNumber(value, 1)),
    formatNumber(r, 2),
    String(lag),
    ...[amplitude, ownR, seam].map((value) => formatNumber(value, 2)),
  ];
}

/** Renders, and returns the openings in cm that drive the frames. */
async function render(source: string, audio: string, output: string): Promise<number[]> {
  const clip = await studio.prepare({ source, audio, output, overwrite: true, bundle: values.bundle });
  try {
    const openings: number[] = [];
    for (let frame = 0; frame < clip.job.frames; frame++) {
      openings.push((await clip.scene.drivenFace(frame)).mouthOpening);
    }
    await studio.render(clip);
    return openings;
  } finally {
    await clip.dispose();
  }
}

async function measure(
  film: string,
  video: string,
  driven: readonly number[],
  onSheet: boolean,
): Promise<Measures> {
  const result = await trackFilm(video, { ffmpeg, finder, gaps: 'hold' });
  const track = await trackFilm(film, { ffmpeg, finder, gaps: 'hold', fps: result.fps });
  const filmed = openingsOf(track);
  const found = openingsOf(result);
  const own = found.map((_, frame) => filmed[filmFrameOf(frame, track.frames)]!);

  const [outside, inside, seam, filmSeam]: [number[], number[], number[], number[]] = [[], [], [], []];
  const source = await allFrames(film, ffmpeg, track.fps);
  const wanted = new Set(
    Array.from({ length: SHEET_FRAMES }, (_, i) => Math.floor(((i + 0.5) * result.frames) / SHEET_FRAMES)),
  );
  const [originals, shownOnes]: [RgbImage[], RgbImage[]] = [[], []];
  let before: { readonly shown: RgbImage; readonly original: RgbImage } | undefined;
  let frame = 0;
  for await (const shown of readFrames(video, { ffmpeg, fps: result.fps })) {
    const at = filmFrameOf(frame, track.frames);
    const original = source[Math.min(at, source.length - 1)]!;
    if (onSheet && wanted.has(frame)) {
      originals.push(original);
      shownOnes.push(shown);
    }
    if (frame < result.frames && track.seen[at] === 1) {
      const poses = [landmarksOf(track, at, shown), landmarksOf(result, frame, shown)];
      const mask = lowerFaceMask(poses, shown);
      const errors = squaredErrors(original, shown, mask);
      outside.push(errors.outside);
      inside.push(errors.inside);
      if (before !== undefined) {
        seam.push(changeOnSeam(before.shown, shown, mask));
        filmSeam.push(changeOnSeam(before.original, original, mask));
      }
    }
    before = { shown, original };
    frame++;
  }
  if (onSheet) sheet.push(originals, shownOnes);
  return {
    outside: psnrOfError(mean(outside)),
    inside: psnrOfError(mean(inside)),
    r: correlation(driven, found),
    lag: bestLag(driven, found, 5),
    amplitude: deviation(found) / deviation(driven),
    ownR: correlation(own, found),
    seam: mean(seam) / mean(filmSeam),
  };
}

async function allFrames(film: string, program: FfmpegInfo, fps: number): Promise<RgbImage[]> {
  const frames: RgbImage[] = [];
  for await (const frame of readFrames(film, { ffmpeg: program, fps })) frames.push(frame);
  return frames;
}

function meshOf(track: FaceTrack, frame: number): Float32Array {
  const mesh = new Float32Array(MESH_VALUES);
  track.meshes!.read(frame, mesh);
  return mesh;
}

function openingsOf(track: FaceTrack): number[] {
  return Array.from({ length: track.frames }, (_, frame) =>
    track.seen[frame] === 1 ? lipOpening(meshOf(track, frame)) : Number.NaN,
  );
}

function landmarksOf(track: FaceTrack, frame: number, { width, height }: RgbImage): Float64Array {
  const pose = track.poses.subarray(frame * POSE_VALUES, (frame + 1) * POSE_VALUES);
  return projectMesh(Float64Array.from(meshOf(track, frame)), poseToMatrix(pose), width, height);
}

/** The mask's value at a pixel. */
function shareAt(mask: SoftMask, x: number, y: number): number {
  const [column, row] = [x - mask.left, y - mask.top];
  if (column < 0 || row < 0 || column >= mask.width || row >= mask.height) return 0;
  return mask.data[row * mask.width + column]!;
}

/** Mean squared differences where the mask is 0, and where it is not; the second picture may lack a row or column. */
function squaredErrors(a: RgbImage, b: RgbImage, mask: SoftMask): { outside: number; inside: number } {
  const sums = [0, 0];
  const counts = [0, 0];
  for (let y = 0; y < b.height; y++) {
    for (let x = 0; x < b.width; x++) {
      const part = shareAt(mask, x, y) > 0 ? 1 : 0;
      for (let c = 0; c < 3; c++) {
        sums[part]! += (a.data[(y * a.width + x) * 3 + c]! - b.data[(y * b.width + x) * 3 + c]!) ** 2;
      }
      counts[part]! += 3;
    }
  }
  return { outside: sums[0]! / counts[0]!, inside: sums[1]! / counts[1]! };
}

/** Mean change of a byte from one picture to the next on the seam. */
function changeOnSeam(before: RgbImage, after: RgbImage, mask: SoftMask): number {
  let [sum, count] = [0, 0];
  for (let row = 0; row < mask.height; row++) {
    for (let column = 0; column < mask.width; column++) {
      const share = mask.data[row * mask.width + column]!;
      if (share < SEAM[0] || share > SEAM[1]) continue;
      const at = ((mask.top + row) * after.width + mask.left + column) * 3;
      if (before.width !== after.width) continue;
      for (let c = 0; c < 3; c++) sum += Math.abs(after.data[at + c]! - before.data[at + c]!);
      count += 3;
    }
  }
  return sum / count;
}

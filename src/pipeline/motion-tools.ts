/** Motion as files: out of films, into pictures, from and to AniPortrait's templates. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { curvesOf, drawCurves } from '../driving/draw-curves.ts';
import { encodeHeadPoses, readRecording } from '../driving/head-pose-file.ts';
import { swapped } from '../driving/pose-video.ts';
import { InvalidOptionError, MediaError } from '../errors.ts';
import { FaceFinder } from '../face/face-finder.ts';
import { projectMesh } from '../face/geometry.ts';
import { drawPoseImage, POSE_IMAGE_SIZE } from '../face/pose-image.ts';
import { poseToMatrix } from '../face/rotation.ts';
import { replaceDurably } from '../files/write-durably.ts';
import { drawLabel } from '../image/draw-label.ts';
import { saveImage } from '../image/encode-image.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { prepareOutput } from '../media/prepare-output.ts';
import { VideoWriter } from '../media/video-writer.ts';
import { MESH_VALUES, POSE_VALUES } from '../motion/motion.ts';
import { writeMotionFile } from '../motion/motion-file.ts';
import type { RecordedMotion } from '../motion/recorded-motion.ts';
import { Engine } from '../runtime/engine.ts';
import type { GapChoice } from '../tracking/gap-choices.ts';
import { trackFilm } from '../tracking/track-film.ts';
import { findFfmpeg } from './machine-places.ts';

/** Size of a row of curves in the picture, and of its title. */
const ROW = { width: 960, height: 160, title: 28 };

/** Options of what writes a file. */
export interface MotionOutputOptions {
  /** @defaultValue false */
  readonly overwrite?: boolean | undefined;
  /** Program to use instead of the one that is found. */
  readonly ffmpegPath?: string | undefined;
}

/** Options of {@link extractMotion}. */
export interface ExtractMotionOptions extends MotionOutputOptions {
  /** Motion file to write. @defaultValue none is written */
  readonly output?: string | undefined;
  /** Which face, counted from 1 at the left. @defaultValue the largest */
  readonly face?: number | undefined;
  /** @defaultValue 'refuse' */
  readonly gaps?: GapChoice | undefined;
  /** Leaves the face out. @defaultValue false */
  readonly headOnly?: boolean | undefined;
  readonly onNotice?: ((message: string) => void) | undefined;
  /** Seconds of film done, and in all where the file says so. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

async function assertNew(file: string, overwrite: boolean | undefined): Promise<void> {
  if (overwrite || (await stat(file).catch(() => undefined)) === undefined) return;
  throw new MediaError(
    [
      `Cannot write ${file}: expected a new file, got one that exists; choose another name, or set `,
      { option: 'overwrite', value: true },
    ],
    file,
  );
}

/**
 * Follows the face of a film.
 *
 * @throws {@link MediaError} if the film cannot be read or the file not be written.
 * @throws {@link FaceError}, {@link FaceLostError} if it shows no face, or not always.
 * @example
 * const motion = await extractMotion('talk.mp4', { output: 'talk.motion' });
 */
export async function extractMotion(
  film: string,
  options: ExtractMotionOptions = {},
): Promise<RecordedMotion> {
  const { output, overwrite, ffmpegPath, face, gaps, headOnly, onNotice, onProgress, signal } = options;
  if (output !== undefined) await assertNew(output, overwrite);
  const ffmpeg = await findFfmpeg(ffmpegPath);
  const engine = await Engine.open({ device: 'cpu' });
  try {
    // They are small: a second thread would cost more than it helps, and who reads and draws needs it.
    const finder = await FaceFinder.open((name, graph) => engine.load(name, graph, { threads: 1 }));
    const track = await trackFilm(film, { ffmpeg, finder, face, gaps, onNotice, onProgress, signal });
    const { fps, frames, poses, meshes, rest, origin } = track;
    const motion: RecordedMotion = {
      fps,
      frames,
      poses,
      origin,
      meshes: headOnly ? null : meshes,
      rest: headOnly ? { ...rest, mesh: null } : rest,
    };
    if (output !== undefined) await writeMotionFile(output, motion);
    return motion;
  } finally {
    await engine.dispose();
  }
}

/**
 * Draws motion: a picture (`.png`, `.jpg`) of its curves, or a video of its landmarks as AniPortrait's networks see them.
 *
 * @throws {@link InvalidOptionError} if the output is neither, or the motion has no landmarks to show.
 */
export async function showMotion(
  motionPath: string,
  { output, overwrite, ffmpegPath }: MotionOutputOptions & { readonly output: string },
): Promise<void> {
  await assertNew(output, overwrite);
  const recording = await readRecording(motionPath);
  if (/^\.(png|jpe?g)$/i.test(path.extname(output))) {
    const parts: RgbImage[] = [];
    for (const row of curvesOf(recording)) {
      parts.push(await drawLabel(row.title, ROW.width, ROW.title));
      parts.push(drawCurves(row, recording.fps, ROW.width, ROW.height));
    }
    const data = Buffer.concat(parts.map((part) => part.data));
    const height = parts.reduce((sum, part) => sum + part.height, 0);
    await saveImage(output, { data, width: ROW.width, height });
    return;
  }
  const { meshes, poses, frames, fps } = recording;
  if (meshes === null) {
    throw new InvalidOptionError(
      {
        refusal: `Cannot draw ${motionPath}`,
        expected: 'a picture (.png), as a head alone has no landmarks',
        got: output,
      },
      'output',
      output,
    );
  }
  const outputPath = await prepareOutput(output, { force: overwrite === true, inputs: [motionPath] });
  const size = { width: POSE_IMAGE_SIZE, height: POSE_IMAGE_SIZE };
  const video = await VideoWriter.open({
    ffmpeg: await findFfmpeg(ffmpegPath),
    outputPath,
    ...size,
    fps,
    frames,
    force: overwrite === true,
  });
  try {
    const mesh = new Float32Array(MESH_VALUES);
    for (let frame = 0; frame < frames; frame++) {
      meshes.read(frame, mesh);
      const pose = poses.subarray(frame * POSE_VALUES, (frame + 1) * POSE_VALUES);
      const points = projectMesh(mesh, poseToMatrix(pose), size.width, size.height);
      await video.write(swapped(drawPoseImage(points, size)));
    }
    await video.finish();
  } finally {
    await video.dispose();
  }
}

/** Endings of landmark videos. */
const VIDEO = /^\.(mp4|mov|m4v|mkv|webm|avi)$/;

/**
 * Turns AniPortrait's head poses (`.npy`) into a motion file, the head of a motion file into them, or a motion file into a landmark
 * video (`.mp4`) for `poseVideo`, here and in AniPortrait.
 *
 * @throws {@link InvalidOptionError} if `to` ends otherwise, or `from` is a landmark video.
 */
export async function convertMotion(
  from: string,
  to: string,
  { overwrite, ffmpegPath }: MotionOutputOptions = {},
): Promise<void> {
  if (VIDEO.test(path.extname(from).toLowerCase())) {
    throw new InvalidOptionError(
      {
        refusal: `Cannot convert ${from}`,
        expected: 'a motion file or head poses (.npy)',
        got:
          'a video; of a person, "motion extract" makes a motion file, and a landmark video, whose lines do not say where the points of ' +
          'a mesh are, moves a portrait as it is, with the networks of AniPortrait (animate --pose-video)',
      },
      'from',
      from,
    );
  }
  const extension = path.extname(to).toLowerCase();
  if (extension === '.mp4') return showMotion(from, { output: to, overwrite, ffmpegPath });
  if (extension !== '.motion' && extension !== '.npy') {
    throw new InvalidOptionError(
      {
        refusal: `Cannot write ${to}`,
        expected: 'a name that ends in .motion, .npy or .mp4',
        got: extension || 'no ending',
      },
      'to',
      to,
    );
  }
  await assertNew(to, overwrite);
  const recording = await readRecording(from);
  if (extension === '.motion') await writeMotionFile(to, recording);
  else await replaceDurably(to, (handle) => handle.writeFile(encodeHeadPoses(recording)));
}

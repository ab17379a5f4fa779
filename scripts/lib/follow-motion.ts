/** Drives portraits and films by known motion and looks at what the pictures show of it. */
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FaceFinder } from '../../src/face/face-finder.ts';
import { multiplyMatrices, poseToMatrix } from '../../src/face/rotation.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { openBundle } from '../../src/models/bundle.ts';
import { loadExpressionBasis } from '../../src/motion/expression-basis.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import type { Engine } from '../../src/runtime/engine.ts';
import { openPortrait } from '../../src/scene/open-portrait.ts';
import type { Scene } from '../../src/scene/scene.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { EXERCISE, exerciseFrames } from './exercise.ts';
import { type FaceMeasures, MEASURES, measureLandmarks, measureMesh } from './face-measures.ts';
import { FILM_SIZE, openFilmedClip } from './filmed-clip.ts';
import { KnownMotions } from './known-motion.ts';
import { encodeWav } from './wav.ts';

const SAMPLE_RATE = 16000;
/** Finding a face takes longer than moving it: of the exercise, every so many frames are looked at. */
const MEASURE_EVERY = 2;

/** What all of it needs. */
export interface FollowSetup {
  readonly engine: Engine;
  readonly finder: FaceFinder;
  readonly ffmpeg: FfmpegInfo;
  /** For the clips; removed by the caller. */
  readonly folder: string;
  readonly bundle: string;
  /** Whether the attention mesh looks at the pictures, which sees lips and lids open and shut; else the plain network. */
  readonly precise: boolean;
}

/** One series: what drove it and what was found of that, by frame. */
export interface FollowedSeries {
  readonly name: string;
  readonly measure: keyof FaceMeasures;
  readonly driven: readonly number[];
  readonly found: readonly number[];
}

/** One clip. */
export interface Followed {
  readonly subject: string;
  /** What made the pictures. */
  readonly pictured: 'film' | 'film, warped' | 'warp' | 'whole';
  readonly series: readonly FollowedSeries[];
  readonly pictures: readonly RgbImage[];
}

async function measurePicture(
  { finder, precise }: Pick<FollowSetup, 'finder' | 'precise'>,
  picture: RgbImage,
): Promise<FaceMeasures | undefined> {
  const face = (await (precise ? finder.findPortrait(picture) : finder.find(picture)))[0];
  return face === undefined ? undefined : measureLandmarks(face.landmarks, picture.width, picture.height);
}

/** Films: what the landmarker finds on their frames, and on one of their frames that is warped to all others. */
export async function followFilms(
  names: readonly string[],
  setup: FollowSetup & { readonly data: string; readonly landmarks: string },
): Promise<Followed[]> {
  const { ffmpeg, data, landmarks: folder } = setup;
  const all: Followed[] = [];
  for (const name of names) {
    const clip = openFilmedClip(name, { ffmpeg: ffmpeg.path, data, landmarks: folder });
    const bytes = readFileSync(path.join(folder, `${name}.f32`));
    const landmarks = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const size = 468 * 3;
    const driven = clip.frames.map((_, i) =>
      measureLandmarks(landmarks.subarray(i * size, (i + 1) * size), FILM_SIZE, FILM_SIZE),
    );
    for (const pictured of ['film', 'film, warped'] as const) {
      const found: (FaceMeasures | undefined)[] = [];
      for (const [i, frame] of clip.frames.entries()) {
        const picture = pictured === 'film' ? frame : { ...frame, data: clip.conditions[i]!.base };
        found.push(await measurePicture(setup, picture));
      }
      all.push({
        subject: name,
        pictured,
        pictures: [],
        series: MEASURES.map((measure) => ({
          name: measure,
          measure,
          driven: driven.map((value) => value[measure]),
          found: found.map((value) => value?.[measure] ?? Number.NaN),
        })),
      });
    }
  }
  return all;
}

/** A portrait that does the exercise, by the warp alone and, if `whole`, by the networks as well. */
export async function followPortrait(
  portraitPath: string,
  setup: FollowSetup,
  whole: boolean,
): Promise<Followed[]> {
  const { finder } = setup;
  const bundle = await openBundle(setup.bundle);
  const weights = openSafetensors(bundle.pathOf('motion'));
  const basis = loadExpressionBasis(weights);
  weights.dispose();
  const portrait = await openPortrait({
    path: portraitPath,
    resolution: bundle.description.resolution,
    framing: 'paste-back',
    view: { type: 'warp' },
    finder,
    onNotice: () => {},
  });
  const motions = new KnownMotions(portrait.mesh, basis);
  const frames = exerciseFrames();
  const moved = frames.map(({ motion }) => motions.at(motion));
  const atRest = motions.at({});
  const driven = moved.map(({ offsets, pose }) =>
    measureMesh(
      portrait.mesh.map((value, i) => value + offsets[i]!),
      multiplyMatrices(portrait.transform, poseToMatrix(pose)),
    ),
  );
  const scene = portrait.withMotion({ at: async (frame) => moved[frame] ?? atRest });
  const views = whole ? (['warp', 'whole'] as const) : (['warp'] as const);
  const all: Followed[] = [];
  for (const pictured of views) {
    const pictures =
      pictured === 'warp'
        ? warpedPictures(scene, frames.length, bundle.description.resolution)
        : renderedPictures(portraitPath, scene, frames.length, setup, bundle.description.fps);
    const found: (FaceMeasures | undefined)[] = [];
    const kept: RgbImage[] = [];
    for await (const picture of pictures) {
      const shown = isShown(found.length);
      if (shown) kept.push(picture);
      const measured = shown || found.length % MEASURE_EVERY === 0;
      found.push(measured ? await measurePicture(setup, picture) : undefined);
    }
    all.push({
      subject: path.parse(portraitPath).name,
      pictured,
      pictures: kept,
      series: EXERCISE.map((part) => {
        const inPart = frames.flatMap((frame, i) => (frame.part === part ? [i] : []));
        return {
          name: part.name,
          measure: part.measure,
          driven: inPart.map((i) => driven[i]![part.measure]),
          found: inPart.map((i) => found[i]?.[part.measure] ?? Number.NaN),
        };
      }),
    });
  }
  return all;
}

/** The first frame, and each part's where it is furthest from rest; of what swings, both sides. */
function isShown(frame: number): boolean {
  let first = 0;
  if (frame === 0) return true;
  for (const { frames, at } of EXERCISE) {
    if (frame < first + frames) {
      const within = frame - first;
      const sides = at(0.25).lids === undefined && isSwing(at) ? [0.25, 0.75] : [0.5];
      return sides.some((side) => within === Math.floor(side * frames));
    }
    first += frames;
  }
  return false;
}

function isSwing(at: (phase: number) => { width?: number; head?: readonly number[] }): boolean {
  const { width, head } = at(0.25);
  return width !== undefined || head !== undefined;
}

async function* warpedPictures(scene: Scene, frames: number, resolution: number): AsyncGenerator<RgbImage> {
  for (let frame = 0; frame < frames; frame++) {
    yield await scene.compose(frame, new Float32Array(3 * resolution ** 2));
  }
}

async function* renderedPictures(
  portrait: string,
  scene: Scene,
  frames: number,
  { ffmpeg, folder, bundle }: FollowSetup,
  fps: number,
): AsyncGenerator<RgbImage> {
  const audio = path.join(folder, 'silence.wav');
  const output = path.join(folder, 'exercise.mp4');
  await writeFile(audio, encodeWav(new Float32Array(Math.round((frames / fps) * SAMPLE_RATE)), SAMPLE_RATE));
  const studio = new Studio({ device: 'cpu', threads: 1 });
  try {
    const clip = await studio.prepare({ portrait, audio, output, bundle, overwrite: true });
    try {
      await studio.render({ ...clip, scene });
    } finally {
      await clip.dispose();
    }
  } finally {
    await studio.dispose();
  }
  yield* readFrames(output, { ffmpeg });
  await rm(output);
}

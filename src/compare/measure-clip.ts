/** What is seen in a variant's frames by themselves: faces, mouth, flicker, identity. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FaceEmbedder } from '../face/face-embedding.ts';
import type { FaceFinder } from '../face/face-finder.ts';
import { fitFaceGeometry } from '../face/geometry.ts';
import { landmarkDistance } from '../metrics/landmark-distance.ts';
import type { Box } from '../metrics/picture.ts';
import { bestLag, correlation, cosine, deviation, mean } from '../metrics/series.ts';
import { type Change, FlickerMeter } from '../metrics/temporal-change.ts';
import { lipOpening } from '../motion/expression-basis.ts';
import type { DrivenFace } from '../scene/framed-face.ts';
import type { FrameSpool } from './frame-spool.ts';
import type { MouthAgreement } from './report.ts';

/** Frames whose faces are embedded. */
const IDENTITY_SAMPLES = 6;
/** Frames by which mouth and motion may be apart. */
const LAG_REACH = 5;

/** What all variants are measured with. */
interface ClipMeasuring {
  readonly finder: FaceFinder;
  readonly embedder: FaceEmbedder | undefined;
  /** Of the portrait. */
  readonly embedding: Float32Array | undefined;
  /** By frame. */
  readonly driven: readonly DrivenFace[];
  /** The face over the whole clip. */
  readonly face: Box;
}

/** What was seen. */
export interface ClipFindings {
  /** [468, 3] px by frame; undefined where no face was found. */
  readonly landmarks: readonly (Float64Array | undefined)[];
  readonly mouth: MouthAgreement;
  readonly flicker: Change;
  readonly drivingLandmarkDistance: number;
  readonly missingFaces: number;
  readonly identity: number | undefined;
}

/** Looks at every frame. */
export async function findInClip(
  frames: FrameSpool,
  measuring: ClipMeasuring,
  stop?: AbortSignal,
): Promise<ClipFindings> {
  const { finder, embedder, embedding, driven, face } = measuring;
  const landmarks: (Float64Array | undefined)[] = [];
  const openings: number[] = [];
  const distances: number[] = [];
  const similarities: number[] = [];
  const flicker = new FlickerMeter(face);
  const samples = new Set(
    Array.from({ length: IDENTITY_SAMPLES }, (_, i) =>
      Math.floor(((i + 0.5) * frames.count) / IDENTITY_SAMPLES),
    ),
  );
  for (let frame = 0; frame < frames.count; frame++) {
    stop?.throwIfAborted();
    const picture = await frames.read(frame);
    flicker.add(picture);
    const found = (await finder.findPortrait(picture))[0]?.landmarks;
    landmarks.push(found);
    if (found === undefined) {
      openings.push(Number.NaN);
      continue;
    }
    openings.push(lipOpening(fitFaceGeometry(found, picture.width, picture.height).mesh));
    const flat = Float64Array.from(
      { length: (found.length / 3) * 2 },
      (_, i) => found[(i >> 1) * 3 + (i & 1)]!,
    );
    distances.push(landmarkDistance(driven[frame]!.landmarks, flat, 2));
    if (embedder !== undefined && embedding !== undefined && samples.has(frame)) {
      similarities.push(cosine(embedding, await embedder.embed(picture, found)));
    }
    await nextTurn();
  }
  const asked = driven.map(({ mouthOpening }) => mouthOpening);
  return {
    landmarks,
    mouth: {
      correlation: correlation(asked, openings),
      lag: bestLag(asked, openings, LAG_REACH),
      amplitude: deviation(openings) / deviation(asked),
    },
    flicker: flicker.result(),
    drivingLandmarkDistance: mean(distances),
    missingFaces: openings.filter(Number.isNaN).length,
    identity: similarities.length === 0 ? undefined : mean(similarities),
  };
}

/** Looks at a finished video: where the face is, how far its mouth is open, and how much the picture changes. */
import type { FaceFinder } from '../../src/face/face-finder.ts';
import { fitFaceGeometry } from '../../src/face/geometry.ts';
import { matrixToPose } from '../../src/face/rotation.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { type Box, boxAround } from '../../src/metrics/picture.ts';
import { mean } from '../../src/metrics/series.ts';
import { type Change, weightedChange } from '../../src/metrics/temporal-change.ts';
import { lipOpening } from '../../src/motion/expression-basis.ts';
import { type FaceState, NO_FACE, stateOfMesh } from './talk-measures.ts';

/** How far the face's box reaches beyond the landmarks, in its own size. */
const BOX_MARGIN = 0.06;

/** What was seen in a video. */
export interface ClipMeasures {
  readonly frames: number;
  /** Frames in which no face was found. */
  readonly missing: number;
  /** Distance of the inner lips in cm for every frame; NaN where there is no face. */
  readonly openings: readonly number[];
  /** What the face does in every frame. */
  readonly states: readonly FaceState[];
  /** Between successive frames. */
  readonly change: Change;
  /** Between a frame and the mean of its two neighbours: motion that does not go on, so noise and boiling. */
  readonly jitter: Change;
  /** The wanted frames, with the landmarks of those that show a face. */
  readonly samples: readonly { readonly picture: RgbImage; readonly landmarks: Float64Array | undefined }[];
}

/** Options of {@link measureClip}. */
export interface MeasureClipOptions {
  readonly ffmpeg: FfmpegInfo;
  readonly finder: FaceFinder;
  /** Frames to keep as samples, by index. */
  readonly sampleFrames: readonly number[];
}

/** Measures every frame of a video; memory holds three frames and the samples. */
export async function measureClip(video: string, options: MeasureClipOptions): Promise<ClipMeasures> {
  const { ffmpeg, finder, sampleFrames } = options;
  const openings: number[] = [];
  const states: FaceState[] = [];
  const changes: Change[] = [];
  const jitters: Change[] = [];
  const samples: { picture: RgbImage; landmarks: Float64Array | undefined }[] = [];
  const last: RgbImage[] = [];
  let box: Box | undefined;
  for await (const picture of readFrames(video, { ffmpeg })) {
    const landmarks = (await finder.findPortrait(picture))[0]?.landmarks;
    if (sampleFrames.includes(openings.length)) samples.push({ picture, landmarks });
    if (landmarks === undefined) {
      openings.push(Number.NaN);
      states.push(NO_FACE);
    } else {
      const { mesh, transform } = fitFaceGeometry(landmarks, picture.width, picture.height);
      openings.push(lipOpening(mesh));
      states.push(stateOfMesh(mesh, matrixToPose(transform)));
      box = boxAround(landmarks, 3, BOX_MARGIN);
    }
    last.push(picture);
    if (last.length > 3) last.shift();
    if (box === undefined) continue;
    if (last.length >= 2) changes.push(weightedChange(last.slice(-2), [-1, 1], box));
    if (last.length === 3) jitters.push(weightedChange(last, [-0.5, 1, -0.5], box));
  }
  const meanChange = (items: readonly Change[]): Change => ({
    inside: mean(items.map((item) => item.inside)),
    outside: mean(items.map((item) => item.outside)),
  });
  return {
    frames: openings.length,
    missing: openings.filter(Number.isNaN).length,
    openings,
    states,
    change: meanChange(changes),
    jitter: meanChange(jitters),
    samples,
  };
}

/** Looks at a finished video: where the face is, how far its mouth is open, and how much the picture changes. */
import type { FaceFinder } from '../../src/face/face-finder.ts';
import { fitFaceGeometry } from '../../src/face/geometry.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { lipOpening } from '../../src/motion/expression-basis.ts';
import { mean } from './statistics.ts';

/** How far the face's box reaches beyond the landmarks, in its own size. */
const BOX_MARGIN = 0.06;

/** Mean absolute differences in levels (0 to 255), inside and outside of the face's box. */
export interface Change {
  readonly inside: number;
  readonly outside: number;
}

/** What was seen in a video. */
export interface ClipMeasures {
  readonly frames: number;
  /** Frames in which no face was found. */
  readonly missing: number;
  /** Distance of the inner lips in cm for every frame; NaN where there is no face. */
  readonly openings: readonly number[];
  /** Between successive frames. */
  readonly change: Change;
  /** Between a frame and the mean of its two neighbours: motion that does not go on, so noise and boiling. */
  readonly trembling: Change;
  /** The wanted frames, with the landmarks of those that show a face. */
  readonly samples: readonly { readonly picture: RgbImage; readonly landmarks: Float64Array | undefined }[];
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The box around landmarks [468 · 3] px, with a margin. */
function boxOf(landmarks: Float64Array): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < landmarks.length; i += 3) {
    left = Math.min(left, landmarks[i]!);
    right = Math.max(right, landmarks[i]!);
    top = Math.min(top, landmarks[i + 1]!);
    bottom = Math.max(bottom, landmarks[i + 1]!);
  }
  const margin = BOX_MARGIN * Math.max(right - left, bottom - top);
  return { left: left - margin, top: top - margin, right: right + margin, bottom: bottom + margin };
}

/** Mean of |weights · pictures| over bytes, inside and outside of `box`. */
function difference(pictures: readonly RgbImage[], weights: readonly number[], box: Box): Change {
  const { width, height } = pictures[0]!;
  let [inside, insideCount, outside, outsideCount] = [0, 0, 0, 0];
  for (let y = 0; y < height; y++) {
    const inRows = y >= box.top && y < box.bottom;
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      let sum = 0;
      for (let c = at; c < at + 3; c++) {
        let value = 0;
        for (let k = 0; k < pictures.length; k++) value += weights[k]! * pictures[k]!.data[c]!;
        sum += Math.abs(value);
      }
      if (inRows && x >= box.left && x < box.right) {
        inside += sum;
        insideCount += 3;
      } else {
        outside += sum;
        outsideCount += 3;
      }
    }
  }
  return { inside: inside / insideCount, outside: outside / outsideCount };
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
  const changes: Change[] = [];
  const tremblings: Change[] = [];
  const samples: { picture: RgbImage; landmarks: Float64Array | undefined }[] = [];
  const last: RgbImage[] = [];
  let box: Box | undefined;
  for await (const picture of readFrames(video, { ffmpeg })) {
    const landmarks = (await finder.find(picture))[0]?.landmarks;
    if (sampleFrames.includes(openings.length)) samples.push({ picture, landmarks });
    if (landmarks === undefined) {
      openings.push(Number.NaN);
    } else {
      openings.push(lipOpening(fitFaceGeometry(landmarks, picture.width, picture.height).mesh));
      box = boxOf(landmarks);
    }
    last.push(picture);
    if (last.length > 3) last.shift();
    if (box === undefined) continue;
    if (last.length >= 2) changes.push(difference(last.slice(-2), [-1, 1], box));
    if (last.length === 3) tremblings.push(difference(last, [-0.5, 1, -0.5], box));
  }
  const meanChange = (items: readonly Change[]): Change => ({
    inside: mean(items.map((item) => item.inside)),
    outside: mean(items.map((item) => item.outside)),
  });
  return {
    frames: openings.length,
    missing: openings.filter(Number.isNaN).length,
    openings,
    change: meanChange(changes),
    trembling: meanChange(tremblings),
    samples,
  };
}

/** A report with made-up figures, for tests of what is made of reports. */

import {
  type CompareReport,
  type Comparison,
  REPORT_SCHEMA,
  REPORT_VERSION,
  type VariantReport,
} from '../../src/compare/report.ts';
import { PUBLISHED } from '../../src/compare/variants.ts';
import type { Spread } from '../../src/metrics/series.ts';

function spread(median: number): Spread {
  return { median, min: median * 0.9, max: median * 1.2, count: 3 };
}

function variant(
  id: string,
  steps: number,
  seconds: number,
  changes: Partial<VariantReport> = {},
): VariantReport {
  return {
    id,
    title: `${id} <settings>`,
    sampler: 'lcm',
    steps,
    guidance: 1,
    every: 1,
    windows: 'overlapping',
    loras: [],
    form: 'lean',
    swept: false,
    denoiserEvaluations: steps * 4,
    work: { reference: 1e9, pose: 2e9, denoise: seconds * 5e10, decode: 3e9 },
    repeats: 3,
    times: {
      prepare: spread(0.5),
      load: spread(0.5),
      reference: spread(0.01),
      pose: spread(0.2),
      denoise: spread(seconds),
      decode: spread(0.4),
      encode: spread(0.3),
      total: spread(seconds + 1.91),
    },
    run: spread(0.1),
    denoiserFlops: 5e10,
    limitShare: 0.4,
    flicker: { inside: 1.5, outside: 0 },
    mouth: { correlation: 0.9, lag: 0, amplitude: 0.5 },
    drivingLandmarkDistance: 0.02,
    missingFaces: 0,
    video: `videos/${id}.mp4`,
    ...changes,
  };
}

function comparison(
  of: string,
  against: string,
  faster: number,
  changes: Partial<Comparison> = {},
): Comparison {
  return {
    of,
    against,
    speedUp: { denoise: spread(faster), total: spread(faster * 0.8), evaluations: 12.5, work: 12.5 },
    whole: { psnr: 45, ssim: 0.998, msSsim: 0.999 },
    face: { psnr: 40 + faster / 10, ssim: 0.99, msSsim: null },
    frames: Array.from({ length: 30 }, (_, i) => ({
      psnr: 45,
      ssim: 0.99,
      msSsim: null,
      facePsnr: 40 + ((i * 7) % 11),
      faceSsim: 0.99,
    })),
    landmarkDistance: 0.005,
    flickerRatio: { inside: 1.1, outside: Number.NaN },
    largestLevelDifference: 12,
    ...changes,
  };
}

/** Fast, original and published, and a sweep. */
export const EXAMPLE_REPORT: CompareReport = {
  schema: REPORT_SCHEMA,
  schemaVersion: REPORT_VERSION,
  created: '2026-01-02T03:04:05.678Z',
  complete: true,
  machine: {
    processor: 'A <processor> & more',
    cores: 2,
    memoryBytes: 25e9,
    system: 'linux 6 x64',
    load: 0.1,
    device: 'cpu',
    threads: null,
    versions: { program: '0.1.0', node: '20.19.0', onnxruntime: '1.30.0', ffmpeg: '7' },
  },
  limit: { flops: 1.2e11, sizes: [{ size: 256, flops: 1.2e11 }] },
  clip: {
    portrait: '"><script>alert(1)</script>.jpg',
    audio: 'speech.wav',
    bundle: 'tiny',
    seed: 42,
    frames: 30,
    fps: 25,
    duration: 1.2,
    width: 512,
    height: 512,
    windows: 4,
    windowFrames: 12,
    face: { left: 10, top: 20, right: 200, bottom: 260 },
  },
  repeats: 3,
  variants: [
    variant('fast-steps-1', 1, 0.5, { swept: true }),
    variant('fast', 4, 2, { swept: true }),
    variant('original', 25, 25, { guidance: 3.5, sampler: 'ddim' }),
    variant(PUBLISHED, 25, 34, { guidance: 3.5, sampler: 'ddim', form: 'published' }),
  ],
  unfinished: [],
  comparisons: [
    comparison('fast-steps-1', 'original', 50),
    comparison('fast', 'original', 12.5),
    comparison('original', PUBLISHED, 1.7, { largestLatentDifference: 2e-5 }),
  ],
  notes: ['a note with <b>markup</b>'],
};

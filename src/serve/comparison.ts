/** A comparison that was ordered. */
import type { CompareStage } from '../compare/compare-options.ts';
import { Order } from './order.ts';

/** How far a comparison is. */
interface ComparisonProgress {
  readonly stage: CompareStage;
  /** Evaluations of the denoiser over all variants and repeats. */
  readonly evaluationsDone: number;
  readonly evaluationsTotal: number;
  /** Share of the evaluations that are done. */
  readonly fraction: number;
  /** Seconds until all are. */
  readonly remaining?: number;
}

/** What a comparison found, in short; the report has the rest. */
export interface ComparisonResult {
  /** In a sentence or two. */
  readonly summary: string;
  /** How many times faster `fast` is than the original; undefined without both. */
  readonly speedUp?: { readonly denoise: number; readonly total: number };
  /** Faces of `fast` against those of the original. */
  readonly face?: { readonly psnr: number | null; readonly ssim: number };
  readonly variants: readonly {
    readonly id: string;
    readonly title: string;
    /** Seconds of each stage, and their sum; medians over the repeats. */
    readonly seconds: Readonly<Record<string, number>>;
  }[];
  readonly frames: number;
  readonly fps: number;
  readonly width: number;
  readonly height: number;
}

/** A comparison with all that need not be remembered. */
export class Comparison extends Order<ComparisonResult, ComparisonProgress> {
  readonly kind = 'comparison';

  protected override links(): Readonly<Record<string, string>> {
    const self = `/v1/comparisons/${this.id}`;
    return {
      self,
      events: `${self}/events`,
      ...(this.state === 'succeeded' && {
        report: `${self}/report.html`,
        data: `${self}/report.json`,
        video: `${self}/side-by-side.mp4`,
      }),
    };
  }
}

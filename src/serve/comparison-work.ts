/** How comparisons are made: in their turn, and alone, since what they measure is time. */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { CompareEvent, CompareOptions } from '../compare/compare-options.ts';
import type { CompareReport } from '../compare/report.ts';
import { findComparison, shownRatio, summarise } from '../compare/summary.ts';
import { FAST, ORIGINAL } from '../compare/variants.ts';
import { describeFailure } from '../jobs/job-failure.ts';
import type { JobOutcome } from '../jobs/job-runner.ts';
import { type OrderReports, type OrderWork, orderFolder } from './board.ts';
import { fieldOf, forClient, withLocations } from './clip-job.ts';
import type { ClipWorkParts } from './clip-work.ts';
import type { Comparison, ComparisonResult } from './comparison.ts';

/** Compares, as the library does; away from the thread that answers requests. */
export type Compare = (options: CompareOptions) => Promise<CompareReport>;

/** What comparisons are made with. */
interface ComparisonWorkParts extends ClipWorkParts {
  readonly compare: Compare;
}

/** Folder of a report, in that of its order. */
export function reportOf(folder: string): string {
  return path.join(folder, 'report');
}

/** See {@link OrderWork}. A comparison that was interrupted starts again: its two parts would have been measured under other conditions. */
export class ComparisonWork implements OrderWork<Comparison> {
  readonly #parts: ComparisonWorkParts;

  constructor(parts: ComparisonWorkParts) {
    this.#parts = parts;
  }

  async run(order: Comparison, reports: OrderReports): Promise<JobOutcome> {
    const { signal } = order.stop;
    const { record } = order;
    const places = { ...this.#parts, folder: orderFolder(this.#parts.data, order) };
    const translate = (text: string): string => forClient(text, record.request, places);
    try {
      const report = await this.#parts.engine.runAlone(async () => {
        signal.throwIfAborted();
        await reports.enter(order, 'starting');
        await mkdir(places.folder, { recursive: true });
        return await this.#parts.compare({
          ...(withLocations(record.request, places) as object as CompareOptions),
          output: reportOf(places.folder),
          fileNames: this.#fileNames(order),
          overwrite: true,
          selfContained: false,
          keepStopped: false,
          signal,
          onProgress: (event) => {
            if (event.type === 'notice') order.add('notice', translate(event.message));
            else this.#onProgress(order, event, reports);
          },
        });
      });
      record.result = resultOf(report);
      delete record.error;
      await reports.finish(order, 'succeeded');
      return 'done';
    } catch (error) {
      if (signal.aborted) {
        if (order.state === 'canceled') await rm(reportOf(places.folder), { recursive: true, force: true });
        return 'cancelled';
      }
      const { kind, code, message } = await describeFailure(error, places.folder);
      const field = fieldOf(message, record.request, places);
      record.error = { code, message: translate(message), ...(field !== undefined && { field }) };
      if (kind === 'disk-full') return 'paused';
      await reports.finish(order, 'failed');
      return 'failed';
    }
  }

  async ended(): Promise<void> {}

  async removed(): Promise<void> {}

  #fileNames({ record }: Comparison): Record<string, string> {
    const located = record.request.files.map(({ id, name }) => [this.#parts.uploads.locate(id), name]);
    return Object.fromEntries(located.filter(([file]) => file !== undefined));
  }

  #onProgress(
    order: Comparison,
    event: Exclude<CompareEvent, { type: 'notice' }>,
    reports: OrderReports,
  ): void {
    const before = order.progress ?? {
      stage: 'prepare',
      evaluationsDone: 0,
      evaluationsTotal: 0,
      fraction: 0,
    };
    if (event.type === 'stage') {
      if (event.stage === 'render') void reports.enter(order, 'processing');
      order.progress = { ...before, stage: event.stage };
    } else {
      const { done, total, fraction, remaining } = event;
      order.progress = {
        stage: before.stage,
        evaluationsDone: done,
        evaluationsTotal: total,
        fraction,
        ...(remaining !== undefined && { remaining }),
      };
    }
    order.changed();
  }
}

function resultOf(report: CompareReport): ComparisonResult {
  const main = findComparison(report, FAST, ORIGINAL);
  const { frames, fps, width, height } = report.clip;
  const [fast, original] = [FAST, ORIGINAL].map((wanted) => report.variants.find(({ id }) => id === wanted));
  /** As the summary says it. */
  const ratioOf = (stage: 'denoise' | 'total'): number =>
    shownRatio(original!.times[stage].median, fast!.times[stage].median);
  return {
    summary: summarise(report),
    ...(main && {
      speedUp: { denoise: ratioOf('denoise'), total: ratioOf('total') },
      face: { psnr: Number.isFinite(main.face.psnr) ? main.face.psnr : null, ssim: main.face.ssim },
    }),
    variants: report.variants.map(({ id, title, times }) => ({
      id,
      title,
      seconds: Object.fromEntries(Object.entries(times).map(([stage, { median }]) => [stage, median])),
    })),
    frames,
    fps,
    width,
    height,
  };
}

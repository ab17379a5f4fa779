/** Keeps report.json and report.html up to date while a batch runs, so that they are there whatever ends it. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { MediaError } from '../errors.ts';
import { writeDurably } from '../files/write-durably.ts';
import type { BatchReport, JobReport } from './batch-events.ts';
import { renderReportHtml } from './report-html.ts';
import type { Thumbnails } from './thumbnail.ts';

/** The time between two versions while jobs end one after another: a long report takes a while to write. */
const PAUSE_MS = 5000;

/** Writes reports, one version after another. */
export class ReportFiles {
  readonly #folder: string;
  readonly #thumbnails: Thumbnails;
  readonly #latest: () => BatchReport;
  readonly #pictures = new Map<number, Uint8Array>();
  readonly #portraits = new Map<string, Promise<Uint8Array | undefined>>();
  #work: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #failure: string | undefined;

  /** @param latest - the report as it would be now. */
  constructor(folder: string, thumbnails: Thumbnails, latest: () => BatchReport) {
    this.#folder = folder;
    this.#thumbnails = thumbnails;
    this.#latest = latest;
  }

  get html(): string {
    return path.join(this.#folder, 'report.html');
  }

  /**
   * Makes the folder and the first version.
   *
   * @throws {@link MediaError} if nothing can be written there.
   */
  async open(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      await this.#write();
    } catch (error) {
      throw new MediaError(
        `Cannot write report in ${this.#folder}: expected a folder that can be written, got an error (${(error as NodeJS.ErrnoException).code})`,
        this.#folder,
        { cause: error },
      );
    }
  }

  /** A job has ended. */
  jobEnded(job: JobReport): void {
    this.#then(async () => {
      const picture = job.state === 'done' ? await this.#thumbnails.ofVideo(job.output) : undefined;
      const shown = picture ?? (await this.#portrait(job.portrait));
      if (shown !== undefined) this.#pictures.set(job.index, shown);
    });
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#then(() => this.#write());
    }, PAUSE_MS);
    this.#timer.unref();
  }

  /** Writes the last version. @returns why it could not be written, if so. */
  async close(report: BatchReport): Promise<string | undefined> {
    clearTimeout(this.#timer);
    this.#failure = undefined;
    this.#then(() => this.#write(report));
    await this.#work;
    return this.#failure;
  }

  #portrait(file: string): Promise<Uint8Array | undefined> {
    let picture = this.#portraits.get(file);
    if (picture === undefined) {
      picture = this.#thumbnails.ofPortrait(file);
      this.#portraits.set(file, picture);
    }
    return picture;
  }

  /** A report that cannot be written now, on a full disk say, is no reason to end jobs. */
  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      this.#failure = `the report in ${this.#folder} could not be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
    });
  }

  async #write(report = this.#latest()): Promise<void> {
    await writeDurably(path.join(this.#folder, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
    await writeDurably(this.html, renderReportHtml(report, this.#pictures, path.resolve(this.#folder)));
  }
}

/** Runs jobs as they come on the workers of a queue, as a {@link JobRunner} does on this machine. */
import PQueue from 'p-queue';
import type { JobObserver, JobOutcome, RunOptions } from './job-runner.ts';
import type { BatchJob } from './manifest.ts';
import { QueueFollower, type QueueFollowerOptions } from './queue-follower.ts';

/** One queue. What is to be done alone is done here, where nothing is rendered, one after another. */
export class QueueEngine {
  readonly #follower: QueueFollower;
  readonly #alone = new PQueue({ concurrency: 1, autoStart: false });
  readonly #started: Promise<void>;
  #start!: () => void;

  private constructor(follower: QueueFollower) {
    this.#follower = follower;
    this.#started = new Promise((resolve) => {
      this.#start = resolve;
    });
  }

  /** @throws what {@link QueueFollower.open} throws. */
  static async open(options: QueueFollowerOptions): Promise<QueueEngine> {
    return new QueueEngine(await QueueFollower.open(options));
  }

  start(): void {
    this.#start();
    this.#alone.start();
  }

  async run(job: BatchJob, observer: JobObserver, options: RunOptions = {}): Promise<JobOutcome> {
    await this.#started;
    return this.#follower.run(job, observer, options);
  }

  runAlone<T>(work: () => Promise<T>): Promise<T> {
    return this.#alone.add(work);
  }

  /** Jobs stay on the queue, and workers go on. */
  dispose(): Promise<void> {
    return this.#follower.close();
  }
}

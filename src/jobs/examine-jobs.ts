/**
 * Looks at the portraits of all jobs before the first is rendered, so that a picture without a face is found at once, and not
 * after hours in the middle of a batch.
 */
import path from 'node:path';
import { PipelineError } from '../errors.ts';
import { PORTRAIT_OPTIONS } from '../pipeline/portrait-request.ts';
import { contentKey, type FileHashes } from './content-key.ts';
import { describeFailure, type JobFailure } from './job-failure.ts';
import { JobFolder } from './job-folder.ts';
import type { Lanes } from './lanes.ts';
import type { BatchJob } from './manifest.ts';

/** Options of {@link examineJobs}. */
interface ExamineOptions {
  readonly stateFolder: string;
  readonly hashes: FileHashes;
  readonly lanes: Lanes;
  readonly signal: AbortSignal;
  readonly onFailed: (job: BatchJob, failure: JobFailure) => void;
  /** Pictures that were looked at. */
  readonly onProgress: (done: number, total: number) => void;
}

/** Jobs of the same picture, seen in the same way. */
type Group = readonly [first: BatchJob, ...others: BatchJob[]];

/**
 * Examines each picture once.
 *
 * @returns the jobs that are left. What can pass is not looked into further: the jobs' own attempts find it again.
 */
export async function examineJobs(
  jobs: readonly BatchJob[],
  { stateFolder, hashes, lanes, signal, onFailed, onProgress }: ExamineOptions,
): Promise<readonly BatchJob[]> {
  const groups = groupByPicture(jobs);
  // A single picture is found to be wrong by the first job.
  if (groups.length < 2) return jobs;
  // What cannot be opened now is opened, and fails, for each job.
  const lease = await lanes.lease().catch(() => undefined);
  if (lease === undefined) return jobs;
  const failed = new Set<BatchJob>();
  try {
    const { examine } = lease.renderer;
    if (examine === undefined) return jobs;
    for (const [i, group] of groups.entries()) {
      if (signal.aborted) break;
      if (await isDone(group, stateFolder, hashes)) continue;
      onProgress(i, groups.length);
      const error = await examine({ ...group[0].options, signal }).then(
        () => undefined,
        (problem: unknown) => problem,
      );
      if (error === undefined || signal.aborted) continue;
      const failure = await describeFailure(error, path.dirname(group[0].options.output));
      if (failure.kind !== 'permanent') continue;
      for (const job of group) {
        failed.add(job);
        onFailed(job, failure);
      }
    }
    onProgress(groups.length, groups.length);
  } finally {
    await lease.release();
  }
  return jobs.filter((job) => !failed.has(job));
}

function groupByPicture(jobs: readonly BatchJob[]): Group[] {
  const groups = new Map<string, BatchJob[]>();
  for (const job of jobs) {
    const { portrait } = job.options;
    if (portrait === undefined) continue; // films are looked through while they are prepared
    const key = JSON.stringify([portrait, ...PORTRAIT_OPTIONS.map((name) => job.options[name] ?? null)]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [job]);
    else group.push(job);
  }
  return [...groups.values()].map((group) => group as unknown as Group);
}

/** Whether all videos of a picture are there already. */
async function isDone(group: Group, stateFolder: string, hashes: FileHashes): Promise<boolean> {
  for (const { options } of group) {
    try {
      const folder = await JobFolder.of(stateFolder, options.output);
      if ((await folder.outputState(await contentKey(options, hashes))).kind !== 'done') return false;
    } catch (error) {
      if (error instanceof PipelineError) return false;
      throw error;
    }
  }
  return true;
}

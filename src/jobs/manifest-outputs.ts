/** Whether the jobs of a batch keep out of each other's files. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import { INPUT_KEYS, type InputKey } from '../pipeline/options/clip-keys.ts';
import type { ManifestProblem } from './manifest-schema.ts';

/** A job with the place that it has in its manifest. */
interface PlacedJob {
  readonly place: string;
  readonly options: Pick<AnimateOptions, InputKey | 'output'>;
}

/** Two jobs that write one file, or a job that writes another's input. */
export async function findOutputProblems(
  jobs: readonly PlacedJob[],
  problems: ManifestProblem[],
): Promise<void> {
  const inputs = new Map<string, PlacedJob>();
  const outputs = new Map<string, PlacedJob>();
  const identities = new Map<string, Promise<string>>();
  const identityOf = (file: string) => {
    const folder = path.dirname(file);
    let real = identities.get(folder);
    if (real === undefined) {
      real = realFolder(folder);
      identities.set(folder, real);
    }
    // Names that differ in case or in the form of accents are one file on many disks.
    return real.then((name) => path.join(name, path.basename(file)).normalize('NFC').toLowerCase());
  };
  for (const job of jobs) {
    for (const key of INPUT_KEYS) {
      const file = job.options[key];
      if (file !== undefined) inputs.set(await identityOf(file), job);
    }
  }
  for (const job of jobs) {
    const { output } = job.options;
    // A link that is there leads to the file that would be replaced.
    const identity = await identityOf(await realpath(output).catch(() => output));
    const other = outputs.get(identity);
    if (other !== undefined) {
      const same = other.options.output === output ? '' : ` (as ${other.options.output})`;
      problems.push({
        place: job.place,
        message: `cannot write ${output}: expected another output for each job, got that of ${other.place}${same}; use {portrait}, {audio} or {index} in the pattern`,
      });
    }
    outputs.set(identity, job);
    const user = inputs.get(identity);
    if (user !== undefined) {
      problems.push({
        place: job.place,
        message: `cannot write ${output}: expected another file than an input, got the input of ${user.place}`,
      });
    }
  }
}

/** A folder by its real path, as far as it exists. */
async function realFolder(folder: string): Promise<string> {
  try {
    return await realpath(folder);
  } catch {
    const parent = path.dirname(folder);
    return parent === folder ? folder : path.join(await realFolder(parent), path.basename(folder));
  }
}

/** The options of a batch: types, checks, flags and help follow from this table, as those of a clip from theirs. */
import { CLIP_OPTIONS } from '../pipeline/options/clip-options.ts';
import { needsOneOf } from '../pipeline/options/option-rules.ts';
import { type OptionRule, type OptionsOf, option } from '../pipeline/options/option-spec.ts';
import { boolean, folder, folderOrNone, integer, number, path } from '../pipeline/options/option-types.ts';

const { device, threads, ffmpegPath, signal } = CLIP_OPTIONS;

/** Every option by name, in the order of help and messages. */
export const BATCH_OPTIONS = {
  /** Where relative outputs start. @defaultValue `baseFolder` */
  outputFolder: option(folder(), {
    description: 'Folder that relative output paths start from.',
    group: 'output',
    otherwise: "the manifest's folder",
    flag: { name: '--output-dir', short: '-o', value: 'folder' },
  }),
  /** Where relative inputs start. @defaultValue the manifest's folder; the working folder for a manifest that is no file */
  baseFolder: option(folder(), {
    description: 'Folder that relative input paths start from.',
    group: 'input',
    otherwise: "the manifest's folder",
    flag: { name: '--base', value: 'folder' },
  }),
  /** Records and checkpoints. @defaultValue `.lcm-portrait` in `baseFolder` */
  stateFolder: option(folder(), {
    description: 'Folder for records and checkpoints.',
    group: 'machine',
    otherwise: '.lcm-portrait next to the manifest',
    flag: { name: '--state', value: 'folder' },
  }),
  /** Of report.json and report.html; false for none. @defaultValue named after the manifest, next to it */
  reportFolder: option(folderOrNone(), {
    description: 'Folder of report.json and report.html.',
    group: 'output',
    otherwise: 'NAME-report next to the manifest',
    flag: {
      name: '--report',
      value: 'folder',
      help: 'folder for report.json and report.html',
      off: 'write no report',
    },
  }),
  /** Where networks run. @defaultValue 'auto' */
  device,
  /** Threads of each engine, 1 to 256. @defaultValue the cores, shared between the clips that are rendered at the same time */
  threads: option(threads.type, {
    description: 'Threads of each engine.',
    group: 'machine',
    otherwise: 'the cores, shared',
    flag: {},
  }),
  /** Clips that are rendered at the same time, each with networks of its own, 1 to 64. @defaultValue 1 */
  concurrency: option(integer(1, 64), {
    description: 'Clips rendered at the same time, each with its own networks.',
    group: 'machine',
    otherwise: '1',
    flag: {},
  }),
  /** Ends the batch at the first job that fails for good. @defaultValue false */
  failFast: option(boolean(), {
    description: 'Stop at the first job that fails.',
    group: 'run',
    flag: {},
  }),
  /** Seconds before the second attempt at a job, doubled for each one after it, 0 to 3600. @defaultValue 1 */
  retryDelay: option(number(0, 3600), {
    description: 'Seconds before the second attempt; doubled for later ones.',
    group: 'run',
    otherwise: '1',
    flag: { value: 's', help: 'seconds before the second attempt; doubled for later ones' },
  }),
  /** Replaces outputs that are files from elsewhere. @defaultValue false */
  overwrite: option(boolean(), {
    description: 'Overwrites existing outputs that this batch did not write.',
    group: 'output',
    flag: { name: '--force', help: 'overwrite existing outputs that this batch did not write' },
  }),
  /** Redis server of a queue that workers take the jobs from, `redis://…`; without it they run here. */
  queue: option(path('redis://host:port/database or rediss://…'), {
    description: 'Redis server of a queue whose workers render the jobs: redis://…',
    group: 'machine',
    flag: { value: 'url', help: 'Redis server of a queue whose workers render the jobs: redis://…' },
  }),
  /** With `queue`: the folder that workers see as well. @defaultValue `baseFolder` */
  sharedFolder: option(folder(), {
    description: 'With --queue: the folder that workers share.',
    group: 'machine',
    otherwise: '--base',
    flag: { name: '--shared', value: 'folder', help: 'with --queue: the folder that workers share' },
  }),
  ffmpegPath,
  /** Ends the batch and keeps what is finished, checkpoints included. */
  signal,
};

/** Options of {@link runBatch}. */
export type RunBatchOptions = OptionsOf<typeof BATCH_OPTIONS>;

/** The option does nothing where others do the work. */
function notWithQueue(key: 'device' | 'threads' | 'concurrency'): OptionRule<RunBatchOptions> {
  return {
    find: ({ queue, [key]: value }) => {
      if (queue === undefined || value === undefined) return undefined;
      const problem = {
        refusal: ['Cannot use ', { option: key }, ' with ', { option: 'queue' }],
        expected: 'it where the work is done',
        got: 'it here; give it to the workers',
      };
      return { option: key, problem };
    },
  };
}

/** Rules between options, in the order of messages. */
export const BATCH_RULES: readonly OptionRule<RunBatchOptions>[] = [
  notWithQueue('device'),
  notWithQueue('threads'),
  notWithQueue('concurrency'),
  needsOneOf<RunBatchOptions>('sharedFolder', ['queue']),
];

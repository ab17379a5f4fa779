/** The options of a worker: types, checks, flags and help follow from this table, as those of a clip from theirs. */
import { CLIP_OPTIONS } from '../pipeline/options/clip-options.ts';
import { type OptionsOf, option } from '../pipeline/options/option-spec.ts';
import { boolean, folder, instance, number, path } from '../pipeline/options/option-types.ts';

/** What a worker tells. */
export type WorkerEvent =
  | { readonly type: 'ready'; readonly worker: string }
  | { readonly type: 'begin'; readonly job: string }
  | { readonly type: 'done'; readonly job: string; readonly output: string; readonly reused: boolean }
  /** `final`: it is not tried again. */
  | { readonly type: 'failed'; readonly job: string; readonly final: boolean; readonly message: string }
  /** Checkpoints are kept; another worker goes on. */
  | { readonly type: 'handed-back'; readonly job: string; readonly reason: string }
  | { readonly type: 'notice'; readonly message: string };

const { device, threads, ffmpegPath, signal } = CLIP_OPTIONS;

/** Every option by name, in the order of help and messages. */
export const WORKER_OPTIONS = {
  /** `redis://host:port/database`. */
  queue: option(path('redis://host:port/database or rediss://…'), {
    description: 'Redis server of the queue.',
    group: 'machine',
    required: true,
    flag: { value: 'url', help: 'redis://host:port/database or rediss://…' },
  }),
  /** Where the shared folder is on this machine. @defaultValue the path that the batch has it under */
  sharedFolder: option(folder(), {
    description: 'Path of the shared folder on this machine.',
    group: 'machine',
    otherwise: 'as on the machine that sent the jobs',
    flag: { name: '--shared', value: 'folder' },
  }),
  /** Where networks run. @defaultValue 'auto' */
  device,
  /** Threads of the engine, 1 to 256. @defaultValue one for each core */
  threads,
  /** Seconds after which the jobs of a worker that says nothing go to others, 1 to 3600. @defaultValue 30 */
  lockSeconds: option(number(1, 3600), {
    description: 'Seconds after which another worker gets the job of an unresponsive one.',
    group: 'machine',
    otherwise: '30',
    flag: {
      name: '--lock',
      value: 's',
      help: 'seconds after which another worker gets the job of an unresponsive one',
    },
  }),
  /** Seconds that a job may go on after a stop before it is handed back, 0 to 86,400. @defaultValue 0 */
  drainSeconds: option(number(0, 86_400), {
    description: 'Seconds that a running job gets to finish after a stop.',
    group: 'machine',
    otherwise: '0',
    flag: { name: '--drain', value: 's', help: 'seconds that a running job gets to finish after a stop' },
  }),
  /** Ends when the queue has been empty. @defaultValue false */
  untilEmpty: option(boolean(), {
    description: 'Exit when the queue is empty.',
    group: 'run',
    flag: {},
  }),
  ffmpegPath,
  /** Stops the worker: it takes no more, and hands back what it has, with its checkpoints. */
  signal,
  /** Called on the caller's thread, in order. */
  onEvent: option(
    instance<(event: WorkerEvent) => void>('a function', (value) => typeof value === 'function'),
    { description: 'Called with what the worker does.', group: 'run' },
  ),
};

/** Options of {@link runWorker}. */
export type RunWorkerOptions = OptionsOf<typeof WORKER_OPTIONS>;

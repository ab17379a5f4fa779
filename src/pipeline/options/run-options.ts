/** Where a clip is made, and what the caller hears of it. A part of the table in `clip-options.ts`. */
import type { Writable } from 'node:stream';
import { DEVICE_CHOICES } from '../../runtime/device.ts';
import type { ProgressEvent } from '../progress-event.ts';
import { option } from './option-spec.ts';
import { instance, integer, oneOf, path } from './option-types.ts';

/** See {@link CLIP_OPTIONS}. */
export const RUN_OPTIONS = {
  /** Where the networks run; `auto` takes the first that opens. @defaultValue 'auto' */
  device: option(oneOf(DEVICE_CHOICES), {
    description: 'Execution provider that the networks run on.',
    group: 'machine',
    default: 'auto',
    flag: {},
  }),
  /** Threads of the engine, 1 to 256. @defaultValue one for each core */
  threads: option(integer(1, 256), {
    description: 'Threads of the inference engine.',
    group: 'machine',
    otherwise: 'one for each core',
    flag: {},
  }),
  /** Program to use instead of the one that is found. */
  ffmpegPath: option(path('the path of the ffmpeg program'), {
    description: 'Path of the ffmpeg program, instead of the one that is found.',
    group: 'machine',
  }),
  /** Cancels the job; {@link animate} rejects with `signal.reason`. */
  signal: option(
    instance<AbortSignal>('an AbortSignal', (value) => value instanceof AbortSignal),
    { description: 'Cancels the job.', group: 'run' },
  ),
  /** Where the video goes whose `output` is `-`; it is not ended. */
  stream: option(
    instance<Writable>(
      'a stream to write to',
      (value) => typeof (value as Writable | null)?.write === 'function',
    ),
    { description: 'Stream that receives the video if output is -.', group: 'run' },
  ),
  /** Called on the caller's thread, in order. */
  onProgress: option(
    instance<(event: ProgressEvent) => void>('a function', (value) => typeof value === 'function'),
    { description: 'Called with progress events.', group: 'run' },
  ),
};

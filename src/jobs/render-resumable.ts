/** A single clip that goes on where an earlier run of it was ended. */
import path from 'node:path';
import { InvalidOptionError } from '../errors.ts';
import { resolveOutput } from '../media/prepare-output.ts';
import type { AnimateOptions, AnimateResult } from '../pipeline/animate-options.ts';
import { resolveOptions } from '../pipeline/resolve-options.ts';
import type { ClipRenderer } from './clip-renderer.ts';
import { FileHashes } from './content-key.ts';
import { executeJob } from './execute-job.ts';
import { STATE_FOLDER } from './job-folder.ts';
import { studioRenderer } from './studio-renderer.ts';

/** Options of {@link animateResumable}. */
export interface ResumableOptions extends AnimateOptions {
  /** Checkpoints and records. @defaultValue `.lcm-portrait` next to the output */
  readonly stateFolder?: string;
}

/** A video that is there. */
export type ResumableResult =
  | { readonly reused: false; readonly result: AnimateResult; readonly resumedFrames: number }
  /** It was complete already, and of the same inputs and options. */
  | { readonly reused: true; readonly output: string };

/**
 * Renders like `animate`, but keeps checkpoints, and resumes from those of an earlier run with the same inputs and
 * options, to the same bytes.
 *
 * @throws what `animate` throws; checkpoints stay.
 */
export async function animateResumable(
  { stateFolder, ...options }: ResumableOptions,
  openRenderer: (options: AnimateOptions) => ClipRenderer = openStudio,
): Promise<ResumableResult> {
  const { signal, onProgress, ...clip } = resolveOptions(options);
  const output = resolveOutput('', clip.output);
  if (output === '-') {
    throw new InvalidOptionError(
      { expected: 'a file name, for a clip that can be resumed', got: '-' },
      'output',
      output,
    );
  }
  const renderer = openRenderer(options);
  let resumedFrames = 0;
  try {
    const { result } = await executeJob(
      {
        index: 0,
        name: options.output,
        place: '',
        options: { ...clip, output },
        priority: 0,
        attempts: 1,
      },
      {
        stateFolder: stateFolder ?? path.join(path.dirname(output), STATE_FOLDER),
        hashes: new FileHashes(),
        renderer,
        signal: signal ?? new AbortController().signal,
        lock: true,
        whilePreparing: (work) => work(),
        onState: () => {},
        onProgress: (event) => onProgress?.(event),
        onResume: (frames) => {
          resumedFrames = frames;
        },
      },
    );
    return result === undefined ? { reused: true, output } : { reused: false, result, resumedFrames };
  } finally {
    await renderer.dispose();
  }
}

function openStudio({ device, threads, onProgress }: AnimateOptions): ClipRenderer {
  return studioRenderer({
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
    forOnePortrait: true,
    onNotice: (message) => onProgress?.({ type: 'notice', message }),
  });
}

/** What the commands about bundles have in common: the store, progress, Ctrl-C, and JSON in place of text. */
import type { Command } from 'commander';
import { bundleStoreFolder } from '../bundles/bundle-store.ts';
import type { SamplerSettings } from '../bundles/import-aniportrait.ts';
import { InvalidOptionError } from '../errors.ts';
import { userHome } from '../files/user-home.ts';
import { SAMPLERS } from '../schedulers/create-scheduler.ts';
import { type ByteProgress, createByteProgress } from './byte-progress.ts';
import type { CliContext } from './context.ts';
import { untilStopped } from './stop-signals.ts';

/** Switches that every command about bundles has. */
export interface CommonFlags {
  readonly json?: true;
  readonly quiet?: true;
}

/** Adds the switches of {@link CommonFlags}. */
export function addCommonFlags(command: Command): Command {
  return command
    .option('--quiet', 'print neither progress nor notes')
    .option('--json', 'print events and the result as JSON, one object per line');
}

/** The folder of the user's bundles. */
export function storeOf({ env }: CliContext): string {
  return bundleStoreFolder({ env, platform: process.platform, home: userHome() });
}

/** What a piece of work is given. */
export interface Work {
  readonly signal: AbortSignal;
  /** Tells of bytes done; `total` is undefined until it is known. */
  bytes(done: number, total: number | undefined, what: string): void;
  notice(message: string): void;
}

/**
 * Does work that can be stopped, with a display that is gone when it ends.
 *
 * @param verb - what is done, for the display, e.g. `Importing`.
 */
export async function runWork<Result>(
  context: CliContext,
  { json, quiet }: CommonFlags,
  verb: string,
  work: (work: Work) => Promise<Result>,
): Promise<Result> {
  const { stdout, stderr, env } = context;
  const display: ByteProgress = createByteProgress(stderr, {
    quiet: quiet === true || json === true,
    dumb: env.TERM === 'dumb',
  });
  const writeJson = (value: object): void => void stdout.write(`${JSON.stringify(value)}\n`);
  let shownAt = Number.NEGATIVE_INFINITY;
  return untilStopped({ stderr, clear: () => display.close() }, (signal) =>
    work({
      signal,
      bytes: (done, total, what) => {
        if (signal.aborted) return;
        if (!json) display.update(done, total, `${verb} ${what}`);
        else if (performance.now() - shownAt > 500 || done === total) {
          shownAt = performance.now();
          writeJson({ type: 'bytes', done, total, what });
        }
      },
      notice: (message) => (json ? writeJson({ type: 'notice', message }) : display.notice(message)),
    }),
  );
}

/**
 * Sampler settings as the command line writes them, `sampler:steps:guidance`.
 *
 * @throws {@link InvalidOptionError} if they are not that.
 * @example
 * parseSettings('ddim:6:1'); // { sampler: 'ddim', steps: 6, guidance: 1 }
 */
export function parseSettings(text: string): SamplerSettings {
  const [sampler = '', steps = '', guidance = '', ...rest] = text.split(':');
  const settings = { sampler, steps: Number(steps), guidance: Number(guidance) };
  const right =
    (SAMPLERS as readonly string[]).includes(sampler) &&
    Number.isInteger(settings.steps) &&
    settings.steps >= 1 &&
    settings.steps <= 100 &&
    settings.guidance >= 1 &&
    settings.guidance <= 20 &&
    rest.length === 0;
  if (right) return settings as SamplerSettings;
  throw new InvalidOptionError(
    `Cannot use --fast: expected sampler:steps:guidance, such as lcm:4:1, with one of ${SAMPLERS.join(', ')}, got ${JSON.stringify(text)}`,
    '--fast',
    text,
  );
}

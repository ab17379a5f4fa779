/** Makes a sampler from its name and settings, as the command line and bundles give them. */
import { InvalidOptionError } from '../errors.ts';
import { DdimScheduler } from './ddim.ts';
import { DpmSolverScheduler } from './dpmsolver.ts';
import { EulerScheduler } from './euler.ts';
import { LCM_ORIGINAL_STEPS, LcmScheduler } from './lcm.ts';
import type { NoiseSchedule } from './noise-schedule.ts';
import type { PredictionType, Scheduler } from './scheduler.ts';
import { TcdScheduler } from './tcd.ts';
import type { TimestepSpacing } from './timesteps.ts';

/** Names of all samplers. */
export const SAMPLERS = ['lcm', 'ddim', 'dpmsolver', 'tcd', 'euler'] as const;

/** Name of a sampler. */
export type Sampler = (typeof SAMPLERS)[number];

/** Samplers of distilled denoisers. */
export const DISTILLED_SAMPLERS: ReadonlySet<Sampler> = new Set<Sampler>(['lcm', 'tcd']);
/** Steps of the schedule that distilled denoisers learn from; their samplers can take no more. */
export const DISTILLED_STEPS = LCM_ORIGINAL_STEPS;

/** Options of {@link createScheduler}; those that a sampler has no use for are ignored. */
interface SchedulerOptions {
  readonly sampler: Sampler;
  readonly numInferenceSteps: number;
  readonly noiseSchedule: NoiseSchedule;
  readonly predictionType: PredictionType;
  /** For `ddim`, `dpmsolver` and `euler`. @defaultValue 'trailing' */
  readonly timestepSpacing?: TimestepSpacing;
  /** For the spacing `leading`. @defaultValue 0 */
  readonly stepsOffset?: number;
  /** Fresh noise of `ddim` and `tcd`, 0 to 1. @defaultValue 0 for `ddim`, 0.3 for `tcd` */
  readonly eta?: number;
  /** Steps that an `lcm` model was distilled on. @defaultValue 50 */
  readonly originalInferenceSteps?: number;
  /** For `dpmsolver` and `euler`. @defaultValue false */
  readonly useKarrasSigmas?: boolean;
}

/**
 * Makes the sampler that `options.sampler` names.
 *
 * @throws {@link InvalidOptionError} if there is no such sampler, or it refuses the settings.
 */
export function createScheduler({ sampler, ...options }: SchedulerOptions): Scheduler {
  switch (sampler) {
    case 'lcm':
      return new LcmScheduler(options);
    case 'ddim':
      return new DdimScheduler(options);
    case 'dpmsolver':
      return new DpmSolverScheduler(options);
    case 'tcd':
      return new TcdScheduler(options);
    case 'euler':
      return new EulerScheduler(options);
    default:
      throw new InvalidOptionError(
        `Cannot use sampler: expected one of ${SAMPLERS.join(', ')}, got ${String(sampler satisfies never)}`,
        'sampler',
        sampler,
      );
  }
}

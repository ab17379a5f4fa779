/** What to expect of a LoRA that was made for another kind of prediction than the bundle's. */
import type { BundleDescription } from '../models/bundle-description.ts';
import { createNoiseSchedule } from '../schedulers/noise-schedule.ts';
import type { LoraAdapter } from '../weights/lora.ts';

/** Timesteps of four LCM steps after the first, for which the effect is reported. */
const REPORTED_TIMESTEPS = [759, 499, 259];

/**
 * What the file says that its network predicts; noise where it says nothing, as nearly all LoRAs for Stable Diffusion 1.5.
 *
 * Source: `modelspec.prediction_type` of Stability AI's ModelSpec, `ss_v2` and `ss_v_parameterization` of kohya's trainer.
 */
function predictionTypeOf({ metadata }: LoraAdapter): 'epsilon' | 'v_prediction' {
  const stated = metadata['modelspec.prediction_type'] ?? metadata.prediction_type;
  if (stated !== undefined) return stated.startsWith('v') ? 'v_prediction' : 'epsilon';
  const trainer = metadata.ss_v_parameterization ?? metadata.ss_zero_terminal_snr;
  return trainer === 'True' || trainer === 'true' ? 'v_prediction' : 'epsilon';
}

/**
 * A sentence about a LoRA that was made for noise prediction, on a bundle that predicts velocity; undefined where they
 * agree. The same change of the output moves the clean picture √ᾱ times as far in a network that predicts velocity.
 */
export function describeLoraMismatch(lora: LoraAdapter, { schedule }: BundleDescription): string | undefined {
  if (schedule.predictionType !== 'v_prediction' || predictionTypeOf(lora) === 'v_prediction')
    return undefined;
  const { alphasCumprod } = createNoiseSchedule(schedule);
  const effects = REPORTED_TIMESTEPS.map(
    (timestep) => `${Math.sqrt(alphasCumprod[timestep]!).toFixed(2)} at ${timestep}`,
  );
  return (
    `LoRA ${lora.path} was made for networks that predict noise, and this bundle predicts velocity: its effect on the clean picture is ` +
    `${effects.join(', ')} of what it was trained for, so expect blurred or washed-out first steps. Compare with --sampler ` +
    'dpmsolver --steps 10 --guidance 3.5 and no LoRA before you rely on it'
  );
}

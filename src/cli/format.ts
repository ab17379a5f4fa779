/** Numbers and results as people read them. */
import type { SeenFace } from '../face/portrait-face.ts';
import type { AnimateResult, AnimationPlan } from '../pipeline/animate-options.ts';

/**
 * Seconds as text, rounded to what matters at that length.
 *
 * @example
 * formatSeconds(125); // '2 min 05 s'
 */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const pad = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/**
 * A number of bytes in the unit that keeps it short.
 *
 * @example
 * formatBytes(1_500_000_000); // '1.5 GB'
 */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 'B';
  for (const next of ['kB', 'MB', 'GB', 'TB']) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${unit === 'B' || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${unit}`;
}

/** A number with its noun: `1 frame`, `2 frames`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** The path alone on the first line, for programs that read it, and a line about what was made. */
export function formatResult(result: AnimateResult, resumedFrames = 0): string {
  const pace = result.times.total > 0 ? ` (${(result.frames / result.times.total).toFixed(1)} frames/s)` : '';
  return (
    `${result.output}\n` +
    `${formatSeconds(result.duration)} of video, ${result.width}×${result.height}, ` +
    `${count(result.frames, 'frame')} at ${round(result.fps)} fps; ${formatSampling(result)}; ` +
    `seed ${result.seed}; took ${formatSeconds(result.times.total)}${pace}` +
    `${resumedFrames > 0 ? `; ${count(resumedFrames, 'frame')} from checkpoints` : ''}\n`
  );
}

/** What a dry run found, a line for each thing. */
export function formatPlan(plan: AnimationPlan): string {
  const rows = [
    [
      'video',
      `${formatSeconds(plan.duration)}, ${plan.width}×${plan.height}, ` +
        `${count(plan.frames, 'frame')} at ${round(plan.fps)} fps`,
    ],
    ['sampling', formatSampling(plan)],
    [
      'windows',
      `${plan.windows}${plan.windowLayout === 'moving' ? ' moving' : ''}${plan.denoisedFrames < plan.frames ? ` over ${count(plan.denoisedFrames, 'denoised frame')}` : ''}, ` +
        count(plan.denoiserEvaluations, 'denoiser evaluation'),
    ],
    ...(plan.faces ?? []).map((face) => ['face', formatFace(face)] as const),
    [
      'time',
      `about ${formatSeconds(plan.estimatedSeconds)}, ${formatSeconds(plan.estimatedProcessorSeconds)} of all cores together`,
    ],
    ['memory', `about ${formatBytes(plan.estimatedMemoryBytes)}`],
  ] as const;
  return rows.map(([label, value]) => `${label.padEnd(10)}${value}\n`).join('');
}

/** `2, at 310,120, 96 pixels, turned 4° right and 2° down`. */
function formatFace({ number, box, angles, size, problem }: SeenFace): string {
  const whole = Math.round;
  const why = problem === undefined ? '' : `; cannot be animated: ${problem.replace('-', ' ')}`;
  return (
    `${number}, at ${whole(box.x + box.width / 2)},${whole(box.y + box.height / 2)}, ${whole(size)} pixels, ` +
    `yaw ${whole(angles.yaw)}°, pitch ${whole(angles.pitch)}°, roll ${whole(angles.roll)}°${why}`
  );
}

function formatSampling(of: AnimateResult | AnimationPlan): string {
  const guidance = of.guidance === 1 ? '' : `, guidance ${round(of.guidance)}`;
  return `${of.sampler}, ${count(of.steps, 'step')}${guidance}, ${of.precision}, bundle ${of.bundle} on ${of.device}`;
}

/** At most three decimals, none that are zero. */
function round(value: number): string {
  return String(Number(value.toFixed(3)));
}

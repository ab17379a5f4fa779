/** Checks the options of a job all at once, before any work, and fills in the defaults that need no bundle. */
import { extname, resolve } from 'node:path';
import { MAX_DENOISE_EVERY } from '../denoising/denoised-frames.ts';
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import type {
  AnimateOptions,
  DeviceName,
  Framing,
  PrecisionChoice,
  PresetName,
  SamplerName,
  WindowLayout,
} from './animate-options.ts';
import { closestName } from './closest-name.ts';

/** How an option is called where the user wrote it; the command line turns `headPoseScale` into `--head-pose-scale`. */
export type NameOf = (key: keyof AnimateOptions) => string;

type Defaulted =
  | 'bundle'
  | 'preset'
  | 'seed'
  | 'device'
  | 'framing'
  | 'expressionScale'
  | 'mouthScale'
  | 'headPoseScale'
  | 'blinkScale'
  | 'still'
  | 'overwrite';

/** Checked options; what is still optional comes from the bundle, its preset or the machine. */
export type ResolvedOptions = AnimateOptions & Required<Pick<AnimateOptions, Defaulted>>;

interface Check {
  /** What the message asks for. */
  readonly expected: string;
  readonly required?: true;
  readonly accepts: (value: unknown) => boolean;
  /** What is wrong with a value that is not accepted. @defaultValue the value itself */
  readonly got?: (value: unknown) => string;
}

/** Names of a union, spelt as keys so that the compiler notices one that is missing here. */
const SAMPLERS: Record<SamplerName, true> = {
  lcm: true,
  ddim: true,
  dpmsolver: true,
  tcd: true,
  euler: true,
};
const DEVICES: Record<DeviceName, true> = {
  auto: true,
  cpu: true,
  cuda: true,
  webgpu: true,
  coreml: true,
  dml: true,
};
const PRECISIONS: Record<PrecisionChoice, true> = { auto: true, float32: true, float16: true, int8: true };
const FRAMINGS: Record<Framing, true> = { 'paste-back': true, crop: true };
const PRESETS: Record<PresetName, true> = { fast: true, faster: true, original: true };
const WINDOWS: Record<WindowLayout, true> = { overlapping: true, moving: true, loop: true };

/** Containers that hold H.264 and AAC. */
const OUTPUT_EXTENSIONS: readonly string[] = ['.mp4', '.m4v', '.mov'];

/** A LoRA many times as strong as trained is a slip of the pen. */
const MAX_LORA_SCALE = 10;

/** Steps of the schedule that distilled denoisers learn from; their samplers can take no more. */
export const DISTILLED_STEPS = 50;
/** Samplers of distilled denoisers. */
export const DISTILLED_SAMPLERS: ReadonlySet<unknown> = new Set<SamplerName>(['lcm', 'tcd']);

/** The values that each option accepts; the order is that of the messages. */
const CHECKS: { readonly [Key in keyof Required<AnimateOptions>]: Check } = {
  portrait: path('the path of a picture with one clear face', true),
  audio: path('the path of a speech recording', true),
  output: {
    expected: 'the path of the video to write, ending in .mp4, .m4v or .mov',
    required: true,
    accepts: (value) => isPath(value) && OUTPUT_EXTENSIONS.includes(extname(value).toLowerCase()),
  },
  bundle: path('the name of an embedded or installed bundle, or the path of a bundle folder'),
  bundleStore: path('the path of a folder of bundles'),
  loras: {
    expected: `LoRA files, each with a scale from ${-MAX_LORA_SCALE} to ${MAX_LORA_SCALE}`,
    accepts: (value) => Array.isArray(value) && value.every(isLora),
    got: (value) => {
      const wrong: unknown = Array.isArray(value) ? value.find((each) => !isLora(each)) : value;
      return JSON.stringify(wrong) ?? String(wrong);
    },
  },
  preset: oneOf(PRESETS),
  sampler: oneOf(SAMPLERS),
  steps: integer(1, 100),
  guidance: number(1, 20),
  denoiseEvery: integer(1, MAX_DENOISE_EVERY),
  windows: oneOf(WINDOWS),
  seed: integer(0, Number.MAX_SAFE_INTEGER, '2^53 − 1'),
  fps: number(1, 120),
  device: oneOf(DEVICES),
  precision: oneOf(PRECISIONS),
  threads: integer(1, 256),
  framing: oneOf(FRAMINGS),
  expressionScale: number(0, 3),
  mouthScale: number(0, 3),
  headPoseScale: number(0, 3),
  blinkScale: number(0, 1),
  still: boolean(),
  overwrite: boolean(),
  ffmpegPath: path('the path of the ffmpeg program'),
  signal: { expected: 'an AbortSignal', accepts: (value) => value instanceof AbortSignal },
  onProgress: { expected: 'a function', accepts: (value) => typeof value === 'function' },
};

/** Names of all options. */
export const OPTION_NAMES = Object.keys(CHECKS) as readonly (keyof AnimateOptions)[];

/**
 * Checks types, ranges, names and required options. Files are not touched; whether they can be read shows when
 * the job opens them.
 *
 * @param options - as a JavaScript caller or a command line may have written them; kept as they are. A value of
 *   undefined counts as not given.
 * @param nameOf - names for the messages.
 * @returns a copy with the defaults that {@link AnimateOptions} documents; those of the bundle are left open.
 * @throws {@link InvalidOptionsError} with one error for each thing that is wrong.
 * @example
 * resolveOptions({ portrait: 'a.jpg', audio: 'a.wav', output: 'a.mp4' }).seed; // 42
 */
export function resolveOptions(
  options: Readonly<Record<string, unknown>> | AnimateOptions,
  nameOf: NameOf = (key) => key,
): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionsError([
      new InvalidOptionError(
        `Cannot animate: expected an object of options, got ${show(options)}`,
        'options',
        options,
      ),
    ]);
  }
  const errors = findInvalidOptions(options, nameOf);
  if (errors.length > 0) throw new InvalidOptionsError(errors);

  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return {
    bundle: 'tiny',
    preset: 'fast',
    seed: 42,
    device: 'auto',
    framing: 'paste-back',
    expressionScale: 1,
    mouthScale: 1,
    headPoseScale: 1,
    blinkScale: 1,
    still: false,
    overwrite: false,
    ...(given as unknown as AnimateOptions),
  };
}

/** Everything that {@link resolveOptions} would throw, for callers that have errors of their own to add. */
export function findInvalidOptions(
  options: Readonly<Record<string, unknown>> | AnimateOptions,
  nameOf: NameOf = (key) => key,
): InvalidOptionError[] {
  const values = options as Readonly<Record<string, unknown>>;
  const errors: InvalidOptionError[] = [];
  const fail = (option: string, value: unknown, message: string) =>
    errors.push(new InvalidOptionError(message, option, value));

  for (const [key, check] of Object.entries(CHECKS) as [keyof AnimateOptions, Check][]) {
    const name = nameOf(key);
    const value = values[key];
    if (value === undefined) {
      if (check.required) {
        fail(name, value, `Cannot animate without ${name}: expected ${check.expected}, got nothing`);
      }
    } else if (!check.accepts(value)) {
      fail(
        name,
        value,
        `Cannot use ${name}: expected ${check.expected}, got ${check.got?.(value) ?? show(value)}`,
      );
    }
  }

  const { sampler, steps, output } = values;
  if (DISTILLED_SAMPLERS.has(sampler) && typeof steps === 'number') {
    if (steps > DISTILLED_STEPS && CHECKS.steps.accepts(steps)) {
      fail(
        nameOf('steps'),
        steps,
        `Cannot use ${nameOf('steps')}: expected at most ${DISTILLED_STEPS} with ${nameOf('sampler')} ${sampler}, ` +
          `got ${steps}; take another sampler for more`,
      );
    }
  }
  for (const key of ['portrait', 'audio'] as const) {
    const input = values[key];
    if (isPath(input) && isPath(output) && resolve(input) === resolve(output)) {
      const name = nameOf('output');
      fail(
        name,
        output,
        `Cannot use ${name}: expected another file than ${nameOf(key)}, got ${show(output)}`,
      );
    }
  }
  for (const key of Object.keys(values)) {
    if (Object.hasOwn(CHECKS, key) || values[key] === undefined) continue;
    const suggestion = closestName(key, Object.keys(CHECKS));
    fail(
      key,
      values[key],
      `Cannot use ${key}: expected an option of animate, got an unknown name` +
        (suggestion === undefined ? '' : `; did you mean ${suggestion}?`),
    );
  }
  return errors;
}

function path(expected: string, required?: true): Check {
  return { expected, accepts: isPath, ...(required && { required }) };
}

function isLora(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { path: file, scale } = value as { path?: unknown; scale?: unknown };
  return isPath(file) && typeof scale === 'number' && Math.abs(scale) <= MAX_LORA_SCALE;
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0');
}

function oneOf(names: Readonly<Record<string, true>>): Check {
  return {
    expected: Object.keys(names)
      .join(', ')
      .replace(/, (?=[^,]*$)/, ' or '),
    accepts: (value) => typeof value === 'string' && Object.hasOwn(names, value),
  };
}

function integer(min: number, max: number, maxText = String(max)): Check {
  return {
    expected: `an integer from ${min} to ${maxText}`,
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  };
}

function number(min: number, max: number): Check {
  return {
    expected: `a number from ${min} to ${max}`,
    accepts: (value) => typeof value === 'number' && value >= min && value <= max, // false for NaN
  };
}

function boolean(): Check {
  return { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };
}

/** A value in a message: short, on one line, without its contents when it is an object. */
function show(value: unknown): string {
  if (typeof value === 'string') {
    const text = JSON.stringify(value);
    return text.length <= 80 ? text : `${text.slice(0, 76)}…"`;
  }
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'bigint' ? `${value}n` : String(value);
}

/** Shape of the speech-to-expression network, as a bundle describes it, and what follows from it. */
import { ModelError } from '../errors.ts';

/** The network's architecture; part of a bundle's description. */
export interface MotionConfig {
  /** Samples per second of the speech. */
  readonly sampleRate: number;
  /** Samples of an analysis window, and from one window to the next. */
  readonly window: number;
  readonly hop: number;
  readonly fftSize: number;
  /** Bands of the mel spectrogram and the frequencies in Hz where the first begins and the last ends. */
  readonly melBands: number;
  readonly melLow: number;
  readonly melHigh: number;
  /** The network sees `(log(power + logFloor) + featureShift) · featureScale`. */
  readonly logFloor: number;
  readonly featureShift: number;
  readonly featureScale: number;
  /** First convolution: kernel and stride in analysis windows. */
  readonly stemKernel: number;
  readonly stemStride: number;
  /** Residual blocks: width, kernel, and the dilation of each. */
  readonly channels: number;
  readonly kernel: number;
  readonly dilations: readonly number[];
  /** The branch that says when the lips are shut for a P, B or M; null in networks without one. */
  readonly closures: ClosureConfig | null;
  /** Coefficients of the expression basis. */
  readonly components: number;
  /** Coefficient vectors per second. */
  readonly outputRate: number;
  /** Root mean square that speech is brought to, full scale being 1, and the largest gain for that. */
  readonly targetLevel: number;
  readonly maxGain: number;
}

/** Shape of the branch that tells closed lips. */
interface ClosureConfig {
  /** Blocks of the trunk after which it begins. */
  readonly after: number;
  readonly channels: number;
  /** Of its own residual blocks: they look as far as the trunk's blocks that are left. */
  readonly dilations: readonly number[];
}

const WHOLE = [
  'sampleRate',
  'window',
  'hop',
  'fftSize',
  'melBands',
  'stemKernel',
  'stemStride',
  'channels',
  'kernel',
  'components',
] as const;
const POSITIVE = [
  'melLow',
  'melHigh',
  'logFloor',
  'featureShift',
  'featureScale',
  'outputRate',
  'targetLevel',
  'maxGain',
] as const;

/**
 * Checks a description that was read from a file.
 *
 * @param path - the file, for messages.
 * @throws {@link ModelError} naming the first field that is missing or out of range.
 */
export function parseMotionConfig(value: unknown, path: string): MotionConfig {
  const fail = (field: string, expected: string, got: unknown): never => {
    throw new ModelError(
      `Cannot read the motion network's description in ${path}: expected ${field} to be ${expected}, got ${JSON.stringify(got)}`,
      path,
    );
  };
  if (typeof value !== 'object' || value === null) return fail('it', 'an object', value);
  const config = value as Record<string, unknown>;
  const isPositive = (item: unknown): item is number =>
    typeof item === 'number' && Number.isFinite(item) && item > 0;
  const isWhole = (item: unknown): item is number => isPositive(item) && Number.isInteger(item);
  const areDilations = (item: unknown): item is number[] => Array.isArray(item) && item.every(isWhole);
  for (const field of WHOLE) {
    const item = config[field];
    if (!isWhole(item)) fail(field, 'a whole number above 0', item);
  }
  for (const field of POSITIVE)
    if (!isPositive(config[field])) fail(field, 'a number above 0', config[field]);
  const { dilations, closures = null } = config;
  if (!areDilations(dilations)) return fail('dilations', 'a list of whole numbers above 0', dilations);
  if (closures !== null) {
    const { after, channels, dilations: own } = Object(closures) as Partial<ClosureConfig>;
    if (!isWhole(after) || after >= dilations.length)
      fail('closures.after', "a number of blocks above 0 and below the trunk's", after);
    if (!isWhole(channels)) fail('closures.channels', 'a whole number above 0', channels);
    if (!areDilations(own) || sum(own) !== sum(dilations.slice(after)))
      fail('closures.dilations', "a list that adds up to the dilations of the trunk's other blocks", own);
  }
  const result = { ...config, closures } as unknown as MotionConfig;
  if (result.kernel % 2 !== 1 || result.stemKernel % 2 !== 1)
    return fail('kernel and stemKernel', 'odd', [result.kernel, result.stemKernel]);
  if (result.window > result.fftSize) return fail('window', 'at most fftSize', result.window);
  if (result.sampleRate / (result.hop * result.stemStride) !== result.outputRate)
    return fail('outputRate', 'sampleRate / (hop · stemStride)', result.outputRate);
  return result;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Outputs on either side of one that its convolutions look at. */
function contextOutputs({ kernel, dilations }: MotionConfig): number {
  return ((kernel - 1) / 2) * sum(dilations);
}

/** Samples that give exactly `outputs` coefficient vectors. */
export function samplesFor(config: MotionConfig, outputs: number): number {
  const stemOutputs = outputs + 2 * contextOutputs(config);
  const windows = (stemOutputs - 1) * config.stemStride + config.stemKernel;
  return (windows - 1) * config.hop + config.window;
}

/** Samples of the network's input before the moment that its first coefficient vector describes. */
export function samplesBefore(config: MotionConfig): number {
  const windows = contextOutputs(config) * config.stemStride + (config.stemKernel - 1) / 2;
  return windows * config.hop + config.window / 2;
}

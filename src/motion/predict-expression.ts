/** Runs the speech-to-expression network over a recording of any length, piece by piece. */
import { ShapeError } from '../errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type MotionConfig, samplesBefore, samplesFor } from './motion-config.ts';

/** A network that is ready to run; the engine's networks are. */
export interface MotionNetwork {
  run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
}

/** Coefficient vectors of one run; eight seconds at 50 per second. */
const OUTPUTS_PER_RUN = 400;

/** Options of {@link predictExpression}. */
interface PredictExpressionOptions {
  readonly network: MotionNetwork;
  readonly config: MotionConfig;
  /** Mono speech at the configured sample rate; silence is assumed before and after it. */
  readonly pcm: Float32Array;
  /** What the samples are multiplied by, see {@link loudnessGain}. */
  readonly gain: number;
  /** First coefficient vector; may be negative. Vector `i` belongs to the time `i / outputRate`. */
  readonly first: number;
  readonly count: number;
  /** @defaultValue 400 */
  readonly outputsPerRun?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the network says of a stretch of speech, at its own rate. */
interface PredictedExpression {
  /** `[count, components]`, of the expression basis. */
  readonly coefficients: Float32Array;
  /** `[count]` how likely the lips are shut for a P, B or M, 0 to 1; null where the network does not tell. */
  readonly closures: Float32Array | null;
}

/**
 * What the mouth does in `count` moments. The result does not depend on how the work is divided into runs.
 *
 * @throws {@link ShapeError} if the network returns another shape than its description says.
 */
export async function predictExpression({
  network,
  config,
  pcm,
  gain,
  first,
  count,
  outputsPerRun = OUTPUTS_PER_RUN,
  signal,
}: PredictExpressionOptions): Promise<PredictedExpression> {
  const { components } = config;
  const samplesPerOutput = config.hop * config.stemStride;
  const data = new Float32Array(count * components);
  const shut = config.closures === null ? null : new Float32Array(count);
  for (let done = 0; done < count; done += outputsPerRun) {
    signal?.throwIfAborted();
    const outputs = Math.min(outputsPerRun, count - done);
    const start = (first + done) * samplesPerOutput - samplesBefore(config);
    const piece = new Float32Array(samplesFor(config, outputs));
    const from = Math.max(0, start);
    const to = Math.min(pcm.length, start + piece.length);
    for (let i = from; i < to; i++) piece[i - start] = pcm[i]! * gain;
    const { coefficients, closures } = await network.run({ pcm: { data: piece, dims: [1, piece.length] } });
    if (coefficients === undefined || coefficients.data.length !== outputs * components) {
      throw new ShapeError(
        `Cannot use the motion network's output: expected coefficients of shape [${outputs}, ${components}], ` +
          `got ${coefficients === undefined ? 'none' : `[${coefficients.dims.join(', ')}]`}`,
      );
    }
    data.set(coefficients.data, done * components);
    if (shut !== null) {
      if (closures?.data.length !== outputs) {
        throw new ShapeError(
          `Cannot use the motion network's output: expected closures of shape [${outputs}], ` +
            `got ${closures === undefined ? 'none' : `[${closures.dims.join(', ')}]`}`,
        );
      }
      shut.set(closures.data, done);
    }
  }
  return { coefficients: data, closures: shut };
}

/** From speech to the motion of the mouth; the rest of the face is moved by living-motion.ts. */
import { setImmediate } from 'node:timers/promises';
import { assertIntegerInRange, assertNumberInRange, InvalidOptionError } from '../errors.ts';
import {
  addExpression,
  coefficientGaps,
  type ExpressionBasis,
  lipGap,
  lipOpening,
} from './expression-basis.ts';
import { foregroundShare } from './foreground.ts';
import { loudnessGain, voicePower } from './loudness.ts';
import { MESH_VALUES, type MotionSequence, POSE_VALUES } from './motion.ts';
import type { MotionConfig } from './motion-config.ts';
import { SPEECH_REACH, speechShare } from './music.ts';
import { CLOSED_LIPS, OpenMouth } from './open-mouth.ts';
import { type MotionNetwork, predictExpression } from './predict-expression.ts';
import { sampleCurve } from './resample-curve.ts';
import { closureAt, SHUT_REACH, shutLips, steadyClosures } from './shut-lips.ts';
import { smoothVectors, VECTOR_REACH } from './smooth-vectors.ts';
import { soundPower } from './sound-power.ts';

/** Vectors beyond the first and last frame that interpolation and closures read, and that these depend on. */
const MARGIN = 2 + SHUT_REACH + VECTOR_REACH + SPEECH_REACH;
/** Frames between two turns of the event loop; a few milliseconds. */
const FRAMES_PER_TURN = 64;

/** Options of {@link generateMotion}. */
interface GenerateMotionOptions {
  /** Network made of {@link buildMotionNetwork}'s graph. */
  readonly network: MotionNetwork;
  readonly config: MotionConfig;
  readonly basis: ExpressionBasis;
  /** The clip's whole speech: mono, at the configured sample rate (16 kHz). */
  readonly pcm: Float32Array;
  readonly fps: number;
  readonly frames: number;
  /** Frame of the clip that the result begins with, to make long clips in parts. @defaultValue 0 */
  readonly firstFrame?: number | undefined;
  /** All motion of speech. @defaultValue 1 */
  readonly expressionScale?: number | undefined;
  /** Mouth and jaw, on top of `expressionScale`. @defaultValue 1 */
  readonly mouthScale?: number | undefined;
  /** The same by the style of speaking, 0 to 2. @defaultValue 1 */
  readonly lipScale?: number | undefined;
  /** The portrait's metric mesh `[468, 3]`: its lips then meet and do not cross. */
  readonly mesh?: ArrayLike<number> | undefined;
  /** Share, 0 to 1, by which an open mouth of `mesh` is closed first. @defaultValue 0 */
  readonly closeMouth?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Motion, with the head at rest, for frames `firstFrame` to `firstFrame + frames - 1`, frame `i` being at `i / fps` seconds. A clip made in parts
 * equals the clip made at once; memory besides the result does not grow with the speech.
 *
 * @throws {@link InvalidOptionError} if a number is out of range or the speech is empty; `signal.reason` when cancelled.
 */
export async function generateMotion({
  network,
  config,
  basis,
  pcm,
  fps,
  frames,
  firstFrame = 0,
  expressionScale = 1,
  mouthScale = 1,
  lipScale = 1,
  mesh,
  closeMouth = 0,
  signal,
}: GenerateMotionOptions): Promise<MotionSequence> {
  assertNumberInRange('fps', fps, 1, 240);
  assertIntegerInRange('frames', frames, 1, Number.MAX_SAFE_INTEGER);
  assertIntegerInRange('firstFrame', firstFrame, 0, Number.MAX_SAFE_INTEGER);
  const scales = { expressionScale, mouthScale };
  for (const [name, scale] of Object.entries(scales)) assertNumberInRange(name, scale, 0, 3);
  assertNumberInRange('lipScale', lipScale, 0, 2);
  assertNumberInRange('closeMouth', closeMouth, 0, 1);
  if (pcm.length === 0) {
    throw new InvalidOptionError('Cannot animate empty speech: expected at least one sample', 'pcm', 0);
  }

  const gain = loudnessGain(pcm, config);
  const voice = voicePower(pcm, config);
  const { outputRate, components } = config;
  const first = Math.floor((firstFrame / fps) * outputRate) - MARGIN;
  const last = Math.ceil(((firstFrame + frames - 1) / fps) * outputRate) + MARGIN;
  const count = last - first + 1;
  const predicted = await predictExpression({ network, config, pcm, gain, first, count, signal });
  const data = smoothVectors(predicted.coefficients, components);
  const scaleBy = (shares: Float32Array): void => {
    for (let i = 0; i < data.length; i++) data[i]! *= shares[Math.floor(i / components)]!;
  };
  // What is said in the background moves nothing, and what is not said does not either.
  scaleBy(foregroundShare({ config, pcm, voice, first, count }));
  const powers = soundPower({ config, pcm, first, count });
  scaleBy(speechShare(coefficientGaps(basis, data), powers, voice));
  const closures = predicted.closures === null ? null : steadyClosures(predicted.closures, powers, voice);

  const closing = mesh === undefined ? 0 : closeMouth * Math.max(0, lipOpening(mesh) - CLOSED_LIPS);
  const openMouth = mesh === undefined || closing === 0 ? undefined : new OpenMouth(mesh, basis, closeMouth);
  const ownGap = mesh === undefined ? Number.POSITIVE_INFINITY : lipGap(mesh);
  const scaled = { expressionScale: lipScale * expressionScale, mouthScale };
  const unscaled = { expressionScale: 1, mouthScale: 1 };

  const offsets = new Float32Array(frames * MESH_VALUES);
  const pose = new Float32Array(frames * POSE_VALUES);
  const coefficients = new Float32Array(components);
  for (let frame = 0; frame < frames; frame++) {
    const time = (firstFrame + frame) / fps;
    const out = offsets.subarray(frame * MESH_VALUES, (frame + 1) * MESH_VALUES);
    const position = time * outputRate - first;
    sampleCurve(data, position, coefficients);
    const shut = closures === null ? 0 : closureAt(closures, position, outputRate / fps);
    shutLips(basis, coefficients, shut);
    addExpression(basis, coefficients, scaled, out);
    openMouth?.close(out, shut * Math.min(1, expressionScale));
    // Lips meet, they do not pass through each other.
    const crossing = -(Math.max(0, ownGap) + lipGap(out));
    if (crossing > 0) {
      addExpression(
        basis,
        basis.opening.map((change) => crossing * change),
        unscaled,
        out,
      );
    }
    if (frame % FRAMES_PER_TURN === FRAMES_PER_TURN - 1) {
      await setImmediate();
      signal?.throwIfAborted();
    }
  }
  return { fps, frames, offsets, pose };
}

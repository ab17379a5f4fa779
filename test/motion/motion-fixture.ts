import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadExpressionBasis } from '../../src/motion/expression-basis.ts';
import { parseMotionConfig } from '../../src/motion/motion-config.ts';
import { buildMotionNetwork } from '../../src/motion/motion-network.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

const WEIGHTS = fileURLToPath(new URL('../../assets/bundles/tiny/motion.safetensors', import.meta.url));
const GOLDEN = new URL('../golden/motion/network.json', import.meta.url);

/** The reference numbers. */
export const golden = JSON.parse(readFileSync(GOLDEN, 'utf8')) as {
  readonly config: unknown;
  readonly samplesBefore: number;
  readonly gain: number;
  readonly pcm: readonly number[];
  readonly firstWindow: readonly number[];
  readonly coefficients: readonly (readonly number[])[];
  readonly closures: readonly number[];
};

/** The tiny bundle's motion network and basis, in this process. */
export async function openMotion() {
  const weights = openSafetensors(WEIGHTS);
  try {
    const config = parseMotionConfig(golden.config, WEIGHTS);
    const network = await loadOrtNetwork('motion', buildMotionNetwork({ config, weights }));
    return { config, network, basis: loadExpressionBasis(weights) };
  } finally {
    weights.dispose();
  }
}

/** The reference's samples, -1 to 1. */
export function goldenPcm(): Float32Array {
  return Float32Array.from(golden.pcm, (value) => value / 32768);
}

/** Seconds of a babbling voice: open vowels four times a second, each after a closure. */
export function babble(seconds: number, { level = 0.1, pitch = 120 } = {}): Float32Array {
  const pcm = new Float32Array(Math.round(seconds * 16000));
  for (let i = 0; i < pcm.length; i++) {
    const time = i / 16000;
    const envelope = Math.max(0, Math.sin(2 * Math.PI * 2 * time)) ** 0.7;
    let value = 0;
    for (let harmonic = 1; harmonic * pitch < 4000; harmonic++) {
      const frequency = harmonic * pitch;
      const resonance =
        1 / (1 + ((frequency - 750) / 110) ** 2) +
        0.6 / (1 + ((frequency - 1200) / 130) ** 2) +
        0.2 / (1 + ((frequency - 2500) / 200) ** 2);
      value += resonance * Math.cos(2 * Math.PI * frequency * time);
    }
    pcm[i] = level * envelope * value;
  }
  return pcm;
}

/** Opening of the inner lips in centimetres that each frame's offsets add. */
export function lipCurve(offsets: Float32Array): number[] {
  const curve: number[] = [];
  for (let at = 0; at < offsets.length; at += 468 * 3)
    curve.push(offsets[at + 3 * 13 + 1]! - offsets[at + 3 * 14 + 1]!);
  return curve;
}

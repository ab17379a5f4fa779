import assert from 'node:assert/strict';
import { test } from 'node:test';
import { voicePower } from '../../src/motion/loudness.ts';
import { parseMotionConfig } from '../../src/motion/motion-config.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { golden } from './motion-fixture.ts';

const config = parseMotionConfig(golden.config, 'network.json');
const RATE = 16000;
const CLOSE = { rtol: 1e-3, atol: 0 };

/** A tone, in parts of so many seconds and decibels each; 0 dB is a power of 0.005. */
function tone(...parts: readonly (readonly [seconds: number, decibels: number])[]): Float32Array {
  return Float32Array.from(
    parts.flatMap(([seconds, decibels]) =>
      Array.from(
        { length: seconds * RATE },
        (_, i) => 0.1 * 10 ** (decibels / 20) * Math.sin((2 * Math.PI * 200 * i) / RATE),
      ),
    ),
  );
}

test("a voice's power does not fall with what else is heard beneath it, though it lasts for longer", () => {
  assertAllClose([voicePower(tone([1, 0]), config)], [0.005], CLOSE);
  assertAllClose([voicePower(tone([1, 0], [2, -12]), config)], [0.005], CLOSE);
  assertAllClose([voicePower(tone([1, 0], [4, -16]), config)], [0.005], CLOSE);
  assertAllClose([voicePower(tone([1, 0], [1, -80], [1, -3]), config)], [0.005 * 0.7506], CLOSE);
});

test('a clap is not taken for the voice', () => {
  const power = voicePower(tone([3, 0], [0.1, 8], [3, -2]), config);
  assert.ok(power > 0.0035 && power < 0.0055, `${power}`);
});

test('silence has the power that speech is brought to', () => {
  assert.equal(voicePower(new Float32Array(RATE), config), config.targetLevel ** 2);
});

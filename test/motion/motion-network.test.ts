import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelError } from '../../src/errors.ts';
import { loudnessGain } from '../../src/motion/loudness.ts';
import { fourierKernels, melFilters } from '../../src/motion/mel-spectrogram.ts';
import { parseMotionConfig, samplesBefore, samplesFor } from '../../src/motion/motion-config.ts';
import { predictExpression } from '../../src/motion/predict-expression.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { babble, golden, goldenPcm, openMotion } from './motion-fixture.ts';

const FLOAT32 = { rtol: 1e-3, atol: 1e-3 }; // logarithms of small powers, and sums in another order
const config = parseMotionConfig(golden.config, 'golden');

test('the graph matches the PyTorch network that the weights were trained in', async () => {
  const { network } = await openMotion();
  const pcm = goldenPcm();
  assert.equal(pcm.length, samplesFor(config, golden.coefficients.length));
  const { coefficients, closures } = await network.run({ pcm: { data: pcm, dims: [1, pcm.length] } });
  assert.deepEqual(coefficients!.dims, [golden.coefficients.length, config.components]);
  assertAllClose(coefficients!.data, golden.coefficients.flat(), FLOAT32);
  assert.deepEqual(closures!.dims, [golden.closures.length]);
  assertAllClose(closures!.data, golden.closures, FLOAT32);
  await network.dispose();
});

test('the mel spectrogram of one window matches the reference', () => {
  const pcm = goldenPcm();
  const kernels = fourierKernels(config);
  const filters = melFilters(config);
  const bins = config.fftSize / 2 + 1;
  const spectrum = Array.from({ length: 2 * bins }, (_, row) => {
    let sum = 0;
    for (let n = 0; n < config.window; n++) sum += kernels[row * config.window + n]! * pcm[n]!;
    return sum;
  });
  const actual = Array.from({ length: config.melBands }, (_, band) => {
    let power = 0;
    for (let bin = 0; bin < bins; bin++)
      power += filters[band * bins + bin]! * (spectrum[bin]! ** 2 + spectrum[bins + bin]! ** 2);
    return (Math.log(power + config.logFloor) + config.featureShift) * config.featureScale;
  });
  assertAllClose(actual, golden.firstWindow, { rtol: 1e-4, atol: 1e-4 });
});

test('gain and context match the reference', () => {
  assert.equal(samplesBefore(config), golden.samplesBefore);
  assertAllClose([loudnessGain(goldenPcm(), config)], [golden.gain], { rtol: 1e-5, atol: 0 });
});

test('loudness does not depend on pauses, and silence is left alone', () => {
  const speech = babble(1);
  const padded = new Float32Array(5 * 16000);
  padded.set(speech, 2 * 16000);
  assertAllClose([loudnessGain(padded, config)], [loudnessGain(speech, config)], { rtol: 1e-6, atol: 0 });
  assert.equal(loudnessGain(new Float32Array(1600), config), 1);
});

test('a recording in pieces gives what it gives in one piece', async () => {
  const { network } = await openMotion();
  const pcm = babble(2);
  const whole = await predictExpression({
    network,
    config,
    pcm,
    gain: 1,
    first: -3,
    count: 110,
    outputsPerRun: 500,
  });
  for (const outputsPerRun of [1, 7, 64]) {
    const pieces = await predictExpression({
      network,
      config,
      pcm,
      gain: 1,
      first: -3,
      count: 110,
      outputsPerRun,
    });
    assertAllClose(pieces.coefficients, whole.coefficients, { rtol: 1e-4, atol: 1e-4 });
    assertAllClose(pieces.closures!, whole.closures!, { rtol: 1e-4, atol: 1e-4 });
  }
  const tail = await predictExpression({ network, config, pcm, gain: 1, first: 60, count: 20 });
  assertAllClose(
    tail.coefficients,
    whole.coefficients.slice(63 * config.components, 83 * config.components),
    {
      rtol: 1e-4,
      atol: 1e-4,
    },
  );
  await network.dispose();
});

test('a description with a field missing or out of range is refused by name', () => {
  const good = golden.config as Record<string, unknown>;
  for (const [field, value] of [
    ['hop', undefined],
    ['kernel', 4],
    ['dilations', [0]],
    ['outputRate', 40],
    ['window', 1024],
    ['logFloor', Number.NaN],
    ['closures', { after: 6, channels: 64, dilations: [1] }],
    ['closures', { after: 4, channels: 64, dilations: [1, 1] }],
    ['closures', { after: 4, channels: 0, dilations: [1, 1, 2, 4] }],
  ] as const) {
    assert.throws(
      () => parseMotionConfig({ ...good, [field]: value }, 'bundle.json'),
      (error) => {
        assert.ok(error instanceof ModelError);
        assert.match(error.message, new RegExp(`bundle\\.json.*${field}`));
        return true;
      },
    );
  }
  assert.throws(() => parseMotionConfig(null, 'bundle.json'), ModelError);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActivationRanges } from '../../src/compare/activation-ranges.ts';

const range = { input: [-1, 2], output: [-3, 4] } as const;

test('layers of the denoiser whose rounding would reach its prediction are left out, of other networks none', () => {
  const kept = [
    ...['down_blocks.0.resnets.0.conv2', 'down_blocks.1.resnets.0.conv_shortcut'],
    ...[
      'down_blocks.0.downsamplers.0.conv',
      'up_blocks.1.resnets.1.conv2',
      'up_blocks.1.resnets.1.conv_shortcut',
    ],
    ...['up_blocks.1.upsamplers.0.conv', 'up_blocks.2.resnets.0.conv2', 'up_blocks.2.resnets.1.conv1'],
  ];
  const names = [
    ...['conv_in', ...kept, 'up_blocks.2.resnets.0.conv_shortcut', 'up_blocks.2.resnets.1.conv2'],
    ...['up_blocks.2.resnets.1.conv_shortcut', 'conv_out'],
  ];
  const ranges = new ActivationRanges();
  const found = Object.fromEntries(names.map((name) => [name, range]));
  ranges.add('denoisingUnet', found);
  ranges.add('codec', found);
  assert.deepEqual(Object.keys(ranges.networks.denoisingUnet!), kept);
  assert.deepEqual(Object.keys(ranges.networks.codec!), names);
});

test('ranges cover all runs, and a fifth more', () => {
  const ranges = new ActivationRanges();
  ranges.add('poseGuider', { a: range });
  ranges.add('poseGuider', { a: { input: [-2, 1], output: [0, 5] } });
  assert.deepEqual(ranges.networks.poseGuider, { a: { input: [-2.4, 2.4], output: [-3.6, 6] } });
});

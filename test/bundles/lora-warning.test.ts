import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeLoraMismatch } from '../../src/bundles/lora-warning.ts';
import { openBundle } from '../../src/models/bundle.ts';
import type { LoraAdapter } from '../../src/weights/lora.ts';

const { description } = await openBundle('tiny');

function lora(metadata: Record<string, string>): LoraAdapter {
  return {
    path: 'style.safetensors',
    metadata,
    modules: [],
    configPath: undefined,
    skippedKeys: [],
    notices: [],
    network: undefined,
    dispose: () => {},
  };
}

test('a LoRA that predicts noise, or does not say what it predicts, is warned of where velocity is predicted', () => {
  for (const metadata of [{}, { format: 'pt' }, { 'modelspec.prediction_type': 'epsilon' }]) {
    const text = describeLoraMismatch(lora(metadata), description);
    assert.match(
      text!,
      /^LoRA style\.safetensors was made for networks that predict noise, and this bundle predicts velocity/,
    );
    // √ᾱ of the linear schedule with zero terminal signal, as the reference tables have it.
    assert.match(text!, /0\.11 at 759, 0\.38 at 499, 0\.73 at 259/);
  }
});

test('one that predicts velocity, and any where noise is predicted, is not', () => {
  for (const metadata of [
    { 'modelspec.prediction_type': 'v' },
    { prediction_type: 'v_prediction' },
    { ss_v_parameterization: 'True' },
  ]) {
    assert.equal(describeLoraMismatch(lora(metadata), description), undefined);
  }
  const schedule = { ...description.schedule, predictionType: 'epsilon' as const };
  assert.equal(describeLoraMismatch(lora({}), { ...description, schedule }), undefined);
});

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { InvalidOptionError, ModelError } from '../../src/errors.ts';
import { type Bundle, openBundle } from '../../src/models/bundle.ts';
import { readCalibration } from '../../src/models/calibration.ts';
import {
  checkDevicePrecision,
  computedPrecision,
  devicePrecision,
} from '../../src/networks/check-precision.ts';
import { bundlePrecision, checkBundlePrecision } from '../../src/pipeline/resolve-sampling.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const tiny = await openBundle('tiny');

function refusal(message: RegExp) {
  return (error: unknown): boolean =>
    error instanceof InvalidOptionError && error.option === 'precision' && message.test(error.message);
}

const { calibration: _, ...files } = tiny.description.files;
const bare: Bundle = { ...tiny, description: { ...tiny.description, name: 'bare', files } };
const cpu = { device: 'cpu', precision: 'float32' } as const;
const cuda = { device: 'cuda', precision: 'float16' } as const;

test('integers need a calibration, which the embedded bundle has', () => {
  checkBundlePrecision('int8', tiny);
  for (const precision of ['auto', 'float32', 'float16'] as const) checkBundlePrecision(precision, bare);
  assert.throws(() => checkBundlePrecision('int8', bare), refusal(/bundle bare, which has none/));
});

test('integers are for the CPU, half precision for devices that are faster in it', () => {
  checkDevicePrecision('int8', cpu);
  checkDevicePrecision('float16', cuda);
  for (const device of [cpu, cuda]) {
    checkDevicePrecision('auto', device);
    checkDevicePrecision('float32', device);
  }
  assert.throws(() => checkDevicePrecision('int8', cuda), refusal(/device cpu.* got cuda; set device: cpu/));
  assert.throws(() => checkDevicePrecision('float16', cpu), refusal(/got cpu, which is not/));
});

test("a preset's precision is left out where it cannot be had or gains nothing, and that is said; a caller's is refused", () => {
  const faster = { ...tiny.description.presets.fast!, precision: 'int8' } as const;
  const half = { ...faster, precision: 'float16' } as const;
  const notices: string[] = [];
  const notice = (message: string): void => void notices.push(message);
  assert.equal(bundlePrecision(tiny, {}, faster, notice), 'int8');
  assert.equal(bundlePrecision(tiny, { precision: 'auto' }, faster, notice), 'auto');
  assert.equal(bundlePrecision(bare, {}, half, notice), 'float16');
  assert.equal(
    devicePrecision('int8', {}, cpu, notice, () => true),
    'int8',
  );
  assert.equal(
    devicePrecision('int8', { precision: 'int8' }, cpu, notice, () => false),
    'int8',
  );
  assert.equal(devicePrecision('float16', {}, cuda, notice), 'float16');
  // Every clip of the preset `fast` asks for integers, on processors too that gain nothing by them.
  assert.equal(
    devicePrecision('int8', {}, cuda, notice, () => true),
    'auto',
  );
  assert.equal(
    devicePrecision('int8', {}, cpu, notice, () => false),
    'auto',
  );
  assert.deepEqual(notices, []);

  assert.equal(bundlePrecision(bare, {}, faster, notice), 'auto');
  const loras = [{ path: 'style.safetensors', scale: 1 }];
  assert.equal(bundlePrecision(tiny, { loras }, faster, notice), 'auto');
  assert.equal(bundlePrecision(tiny, { loras, precision: 'int8' }, faster, notice), 'int8');
  assert.equal(devicePrecision('float16', {}, cpu, notice), 'auto');
  for (const [i, message] of [
    /bundle bare has no calibration/,
    /measured without these LoRAs; precision int8 takes them/,
    /device cpu is not faster in half precision/,
  ].entries()) {
    assert.match(notices[i]!, message);
  }
  assert.equal(notices.length, 3);
  assert.throws(() => bundlePrecision(bare, { precision: 'int8' }, faster, notice), refusal(/bare/));
  assert.throws(() => devicePrecision('int8', { precision: 'int8' }, cuda, notice), refusal(/got cuda/));
});

test('what is computed in is named also where the device has the choice', () => {
  assert.equal(computedPrecision('auto', cpu), 'float32');
  assert.equal(computedPrecision('auto', cuda), 'float16');
  assert.equal(computedPrecision('int8', cpu), 'int8');
});

test('a damaged calibration is reported, with its file', () => {
  const file = path.join(temporaryDirectory(), 'calibration.json');
  const damaged: Bundle = { ...tiny, pathOf: () => file };
  for (const [text, message] of [
    ['{', /not valid JSON/],
    ['{"formatVersion":2,"description":"","networks":{}}', /formatVersion/],
    [
      '{"formatVersion":1,"description":"","networks":{"codec":{"a":{"input":[1,0]}}}}',
      /networks\.codec\.a\.input: expected a lower end/,
    ],
  ] as const) {
    writeFileSync(file, text);
    assert.throws(
      () => readCalibration(damaged),
      (error) => error instanceof ModelError && error.modelPath === file && message.test(error.message),
    );
  }
});

test('the embedded calibration names most layers of all networks that it is for', () => {
  const { networks } = readCalibration(tiny);
  assert.deepEqual(Object.keys(networks).sort(), ['codec', 'denoisingUnet', 'poseGuider']);
  assert(Object.keys(networks.denoisingUnet!).length > 100);
});

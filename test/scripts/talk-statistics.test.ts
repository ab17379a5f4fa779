import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { readNpz } from '../../scripts/lib/npz.ts';
import { parseSampa } from '../../scripts/lib/talk-cases.ts';
import { stateOfLandmarks, stateOfMesh } from '../../scripts/lib/talk-measures.ts';
import {
  agreement,
  bandShares,
  countBlinks,
  loudnessOf,
  meanSpeed,
  percentile,
} from '../../scripts/lib/talk-statistics.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';

const TIMEOUT = { timeout: 120_000 };
const close = (a: number, b: number, by = 1e-9): boolean => Math.abs(a - b) <= by;

test('a follower that is late and half as large is reported as such', TIMEOUT, () => {
  const driver = Array.from({ length: 80 }, (_, i) => Math.sin(i * i * 0.03));
  const follower = driver.map((_, i) => 0.5 * (driver[i - 2] ?? 0) + 3);
  const { lag, amplitude, correlation } = agreement(driver, follower);
  assert.equal(lag, 2);
  assert.ok(close(amplitude, 0.5, 0.02));
  assert.ok(correlation < 0.9);
  assert.ok(close(agreement(driver, [...driver, 100]).correlation, 1)); // what is beyond the shorter one does not count
});

test('percentiles lie between the values around them and leave gaps out', TIMEOUT, () => {
  assert.equal(percentile([4, Number.NaN, 1, 3, 2], 0.5), 2.5);
  assert.equal(percentile([4, 1, 3, 2], 1), 4);
  assert.equal(percentile([4, 1, 3, 2], 0), 1);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

test('motion is divided into slow, medium and fast', TIMEOUT, () => {
  const wave = (hertz: number, size: number): number[] =>
    Array.from({ length: 100 }, (_, i) => size * Math.sin((2 * Math.PI * hertz * i) / 25));
  const sum = wave(0.5, 2).map((value, i) => value + wave(2, 1)[i]! + wave(5, 1)[i]!);
  const [slow, medium, fast] = bandShares(sum, 25);
  assert.ok(close(slow, 4 / 6, 0.01) && close(medium, 1 / 6, 0.01) && close(fast, 1 / 6, 0.01));
  assert.deepEqual(bandShares(new Array(50).fill(1), 25), [Number.NaN, Number.NaN, Number.NaN]);
  assert.ok(close(meanSpeed([0, 1, 0, 1], 25), 25));
});

test('blinks are counted once each, also next to frames without a face', TIMEOUT, () => {
  const lids = new Array(40).fill(0.3);
  lids.splice(5, 3, 0.15, Number.NaN, 0.1);
  lids.splice(20, 1, 0.05);
  lids.splice(30, 2, 0.25, 0.25); // a squint
  assert.equal(countBlinks(lids), 2);
});

test('loudness is that of the sound around a frame', TIMEOUT, () => {
  const pcm = new Float32Array(16000);
  pcm.fill(0.5, 8000);
  const loudness = loudnessOf(pcm, 16000, 25, 25);
  assert.equal(loudness[10], 0);
  assert.ok(close(loudness[14]!, 0.5, 1e-6));
  assert.ok(loudness[12]! > 0 && loudness[12]! < 0.5); // half of it
});

test('a mesh is measured in millimetres', TIMEOUT, () => {
  const mesh = Float64Array.from(loadFaceMesh().vertices);
  const before = stateOfMesh(mesh, [1, 2, 3]);
  mesh[3 * 14 + 1]! -= 0.5;
  mesh[3 * 61]! -= 0.2;
  mesh[3 * 0 + 2]! += 0.1;
  const after = stateOfMesh(mesh, [1, 2, 3]);
  const gap = [0, 1, 2].map((axis) => mesh[3 * 13 + axis]! - mesh[3 * 14 + axis]!);
  assert.ok(close(after.opening, 10 * Math.hypot(...gap)) && after.opening > before.opening + 4, 'opening');
  assert.ok(close(after.width - before.width, 2, 0.01), 'width');
  assert.ok(close(after.protrusion - before.protrusion, 0.5), 'protrusion');
  assert.equal(after.yaw, 2);
  assert.ok(before.brows > 10 && before.brows < 35, 'brows');
  assert.ok(Number.isNaN(stateOfLandmarks(undefined, 256, 256).opening));
});

test('labels of closures, bursts and marks become phones', TIMEOUT, () => {
  const lines = [
    '0\t0.1\t.',
    '0.1\t0.2\t_p',
    '0.2\t0.22\t!p\t+asp',
    '0.22\t0.3\ta\t2',
    '0.3\t0.35\t+',
    '0.35\t0.4\ts',
  ];
  assert.deepEqual(parseSampa(lines.join('\n')), [
    { start: 0, end: 0.1, name: 'SIL' },
    { start: 0.1, end: 0.22, name: 'P' },
    { start: 0.22, end: 0.35, name: 'AA' },
    { start: 0.35, end: 0.4, name: 'T' },
  ]);
});

/** A zip archive of one deflated entry, with the fields that readers need. */
function zipOf(name: string, contents: Buffer): Buffer {
  const packed = deflateRawSync(contents);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(8, 10);
  central.writeUInt32LE(packed.length, 20);
  central.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(30 + name.length + packed.length, 16);
  return Buffer.concat([local, Buffer.from(name), packed, central, Buffer.from(name), end]);
}

test('arrays of numpy are read, and other types refused by name', TIMEOUT, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'npz-'));
  try {
    const npy = (descr: string, shape: string, data: Buffer): Buffer => {
      const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }\n`;
      const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0]);
      return Buffer.concat([start, Buffer.from(header), data]);
    };
    const file = path.join(folder, 'a.npz');
    const floats = Buffer.from(Float32Array.of(1, 2.5, -3, 4, 5, 6).buffer);
    await writeFile(file, zipOf('weights.npy', npy('<f4', '(2, 3)', floats)));
    const weights = (await readNpz(file)).get('weights')!;
    assert.deepEqual(weights, { shape: [2, 3], values: [1, 2.5, -3, 4, 5, 6] });
    await writeFile(
      file,
      zipOf('names.npy', npy('<U3', '(2,)', Buffer.from(Uint32Array.of(97, 98, 0, 99, 0, 0).buffer))),
    );
    assert.deepEqual((await readNpz(file)).get('names')!.values, ['ab', 'c']);
    await writeFile(file, zipOf('odd.npy', npy('|O', '(1,)', Buffer.alloc(8))));
    await assert.rejects(readNpz(file), /odd\.npy of .*got type \|O/);
    await writeFile(file, 'no archive');
    await assert.rejects(readNpz(file), /expected an \.npz file/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { mediaSeeds } from '../../scripts/lib/fuzz-media.ts';
import { argumentsFor, faultOf, fuzzProgram } from '../../scripts/lib/fuzz-program.ts';
import { fuzzSeeds } from '../../scripts/lib/fuzz-seeds.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { LOADER, MAIN } from '../helpers/run-program.ts';

/** Among them are manifests, LoRAs, pickles, pictures, sounds and motion; scripts/bench/fuzz-program.ts tries others. */
const NUMBERS = [0, 1, 2, 3, 4, 5, 6, 7];

test('an ending is as it should be if the program says what is wrong', { timeout: 120_000 }, () => {
  const ending = { status: 3, signal: null, stderr: 'lcm-portrait: error: Cannot read image\n' };
  assert.equal(faultOf(ending), undefined);
  assert.match(faultOf({ ...ending, status: 1 }) ?? '', /^ended with status 1/);
  assert.match(faultOf({ ...ending, status: null, signal: 'SIGKILL' }) ?? '', /^ended with SIGKILL/);
  assert.match(faultOf({ ...ending, stderr: `${ending.stderr}    at main.ts:1` }) ?? '', /stack trace/);
  assert.match(faultOf({ ...ending, stderr: '' }) ?? '', /said nothing/);
});

test('damaged files end the program with a status that says why, and nothing left', {
  timeout: 600_000,
}, async () => {
  const folder = temporaryDirectory();
  const media = await mediaSeeds(await locateFfmpeg({ env: process.env }), path.join(folder, 'seeds'));
  const seeds = [...media, ...fuzzSeeds()];
  assert.ok(seeds.every(({ name }) => argumentsFor(name).includes(name)));
  const { tried, read, refused, failures } = await fuzzProgram(seeds, NUMBERS, {
    command: [process.execPath, ...LOADER, MAIN],
    folder: path.join(folder, 'inputs'),
  });
  assert.deepEqual(failures, []);
  assert.deepEqual([tried, read + refused], [NUMBERS.length, NUMBERS.length]);
});

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { planBatch } from '../../src/jobs/plan-batch.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { ROOT } from '../helpers/run-program.ts';

const folder = temporaryDirectory();
const at = (name: string): string => path.join(folder, name);
const portrait = path.join(ROOT, 'assets/portraits/ada.jpg');
const audio = path.join(ROOT, 'assets/speech/short.wav');

test('a plan needs no temporary folder, and none of the outputs’: it says of each job what a run would find', {
  timeout: 120_000,
}, async () => {
  await sharp({ create: { width: 320, height: 320, channels: 3, background: '#7a8fa3' } })
    .png()
    .toFile(at('sky.png'));
  writeFileSync(at('there.mp4'), 'a video from elsewhere');
  const { TMPDIR } = process.env;
  process.env.TMPDIR = at('nowhere');
  try {
    const done: number[] = [];
    const { jobs, frames, estimatedSeconds } = await planBatch(
      {
        jobs: [
          { portrait, audio, output: at('new/folder/a.mp4') },
          { portrait, audio, output: at('new/b.mp4'), seed: 3, fps: '30000/1001' },
          { portrait: at('sky.png'), audio, output: at('c.mp4') },
          { portrait, audio, output: at('there.mp4') },
        ],
      },
      { device: 'cpu', onPlanned: (count) => done.push(count) },
    );
    assert.deepEqual(
      jobs.map(({ state, frames: count }) => [state, count]),
      [
        ['left', 34],
        ['left', 40],
        ['problem', undefined],
        ['problem', undefined],
      ],
    );
    assert.equal(frames, 34 + 40);
    const clips = jobs.reduce((sum, job) => sum + (job.estimatedSeconds ?? 0), 0);
    assert.ok(Math.abs(estimatedSeconds - clips - 1.4) < 1e-9, 'the program begins once');
    assert.match(jobs[2]!.problem!, /sky\.png.* face/);
    assert.match(jobs[3]!.problem!, /did not make/);
    assert.deepEqual(done, [0, 1, 2, 3, 4]);
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
});

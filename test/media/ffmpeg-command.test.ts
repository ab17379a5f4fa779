import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SubprocessError } from '../../src/errors.ts';
import { buildArguments, parseComplaint, runFfmpeg } from '../../src/media/ffmpeg-command.ts';
import { availableFfmpegs } from '../helpers/media.ts';

const [ffmpeg] = await availableFfmpegs();
const endless = {
  inputs: [{ source: 'testsrc=s=64x64', options: ['-f', 'lavfi'] }],
  outputOptions: ['-f', 'rawvideo'],
  output: 'pipe:1',
};

test('arguments stay whole and in order', () => {
  const args = buildArguments({
    inputs: [{ source: 'pipe:0', options: ['-f', 'rawvideo'] }, { source: 'file:/a b.wav' }],
    videoFilters: ['scale=8:8', 'format=yuv420p'],
    outputOptions: ['-metadata', 'title=one two'],
    output: 'file:/c d.mp4',
  });
  const common = ['-hide_banner', '-loglevel', 'level+info', '-y'];
  const inputs = ['-f', 'rawvideo', '-i', 'pipe:0', '-i', 'file:/a b.wav'];
  const rest = ['-filter:v', 'scale=8:8,format=yuv420p', '-metadata', 'title=one two', 'file:/c d.mp4'];
  assert.deepEqual(args, [...common, ...inputs, ...rest]);
});

test('complaints lose level, address and file name; other lines are none', () => {
  assert.equal(parseComplaint('[mp4 @ 0x5581] [error] no room'), 'no room');
  assert.equal(parseComplaint('[fatal] file:/tmp/a: b.wav: Invalid data found'), 'Invalid data found');
  assert.equal(parseComplaint('[info] all is well'), undefined);
});

test('a program that cannot be started rejects', async () => {
  const run = runFfmpeg('/nowhere/ffmpeg', endless, { purpose: 'try' });
  await assert.rejects(run.done, (error) => {
    assert.ok(error instanceof SubprocessError);
    assert.match(error.message, /^Cannot try: expected ffmpeg to finish, got it did not start \(.*ENOENT\)$/);
    return true;
  });
});

test('kill ends a run that nobody reads', async () => {
  const run = runFfmpeg(ffmpeg!.path, endless, { purpose: 'try' });
  run.kill();
  run.kill();
  await assert.rejects(run.done, SubprocessError);
});

test('an abort rejects with its reason, and an aborted signal starts nothing', async () => {
  const controller = new AbortController();
  const run = runFfmpeg(ffmpeg!.path, endless, { purpose: 'try', signal: controller.signal });
  const reason = new Error('enough');
  controller.abort(reason);
  await assert.rejects(run.done, reason);
  assert.throws(
    () => runFfmpeg(ffmpeg!.path, endless, { purpose: 'try', signal: controller.signal }),
    reason,
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeSpec } from '../../src/media/encode-spec.ts';

const FFMPEG = {
  path: '/opt/ffmpeg',
  source: 'PATH',
  version: '7.0',
  h264Encoder: 'libx264',
  encoders: ['libx264', 'aac'],
  rejected: [],
} as const;

/** What holds of each of x264's options: the one that is given last. */
function optionsOf(live: boolean): Map<string, string> {
  const { outputOptions } = encodeSpec({
    ffmpeg: FFMPEG,
    outputPath: 'talk.mp4',
    target: 'talk.mp4',
    width: 64,
    height: 48,
    fps: 25,
    frames: 10,
    crf: 18,
    transparent: false,
    metadata: {},
    live,
  });
  return new Map(outputOptions.map((name, i) => [name, outputOptions[i + 1] ?? '']));
}

test('a video is encoded by a fast preset with less of what gains nothing', () => {
  const options = optionsOf(false);
  assert.equal(options.get('-preset'), 'veryfast');
  assert.equal(options.get('-crf'), '14.5');
  assert.equal(options.get('-x264-params'), 'me=dia:weightp=0:partitions=p8x8,i8x8');
});

test('a video that is watched while it is made gets none of the partitions that a file is searched for', () => {
  const options = optionsOf(true);
  assert.equal(options.get('-preset'), 'ultrafast');
  assert.equal(options.get('-x264-params'), 'partitions=none');
});

/** Media for tests: temporary folders, the ffmpegs of this machine, synthetic sounds and pictures. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { type FfmpegInfo, locateFfmpeg } from '../../src/media/ffmpeg-path.ts';

/** The ffmpeg that a user of this machine gets, and the one that comes as a package: often years apart. */
export async function availableFfmpegs(): Promise<FfmpegInfo[]> {
  const found = [await locateFfmpeg({ env: process.env }), await locateFfmpeg({ env: {} })];
  return found.filter((info, index) => found.findIndex((other) => other.path === info.path) === index);
}

/** A folder that goes when the tests of the file are done. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-test-'));
  after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

/** Runs ffmpeg to make a file. */
export function makeMedia(ffmpeg: FfmpegInfo, output: string, ...args: string[]): string {
  execFileSync(ffmpeg.path, ['-v', 'error', '-nostdin', '-y', ...args, output]);
  return output;
}

/** A 16-bit mono WAV file with `samples` between −1 and 1. */
export function encodeWav(samples: Float32Array, sampleRate: number): Buffer {
  const wav = Buffer.alloc(44 + samples.length * 2);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + samples.length * 2, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(sampleRate, 24);
  wav.writeUInt32LE(sampleRate * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(samples.length * 2, 40);
  for (let i = 0; i < samples.length; i++) wav.writeInt16LE(Math.round(samples[i]! * 32767), 44 + i * 2);
  return wav;
}

/** Bursts of a rising tone, different at every moment, so that a shift in time shows in a correlation. */
export function chirps(duration: number, sampleRate: number): Float32Array {
  return Float32Array.from({ length: Math.round(duration * sampleRate) }, (_, i) => {
    const t = i / sampleRate;
    const envelope = Math.max(0, Math.sin(2 * Math.PI * 3 * t));
    return 0.5 * envelope * Math.sin(2 * Math.PI * (200 * t + 150 * t * t));
  });
}

/** The shift of `b` against `a`, in samples from −`range` to `range`, at which they correlate best. */
export function findLag(a: Float32Array, b: Float32Array, range: number): number {
  let best = Number.NEGATIVE_INFINITY;
  let bestLag = 0;
  for (let lag = -range; lag <= range; lag++) {
    let sum = 0;
    for (let i = range; i < a.length - range; i++) sum += a[i]! * (b[i + lag] ?? 0);
    if (sum > best) [best, bestLag] = [sum, lag];
  }
  return bestLag;
}

/** Peak signal-to-noise ratio of 8-bit pictures, in dB. */
export function psnr(actual: Uint8Array, expected: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < expected.length; i++) sum += (actual[i]! - expected[i]!) ** 2;
  return 10 * Math.log10((255 ** 2 * expected.length) / sum);
}

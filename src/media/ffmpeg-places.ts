/** Folders in which an ffmpeg may not write: builds of snap and flatpak see a part of the files only, and no hidden names. */
import { existsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { EnvironmentError } from '../errors.ts';
import { partialPath } from '../files/partial-name.ts';
import { CONFINED_ADVICE, fileUrl, parseComplaint, runFfmpeg } from './ffmpeg-command.ts';
import type { FfmpegInfo } from './ffmpeg-path.ts';

/** Those that were tried and can be written, by the ffmpeg's path. */
const writable = new Map<string, Set<string>>();

/** Whether a folder is one of those, or lies in one without a hidden folder or another file system between. */
async function isWritable(ffmpeg: FfmpegInfo, folder: string): Promise<boolean> {
  for (const known of writable.get(ffmpeg.path) ?? []) {
    const between = path.relative(known, folder).split(path.sep);
    if (between.some((name) => name.startsWith('.')) || path.isAbsolute(between[0]!)) continue;
    const [a, b] = await Promise.all([stat(known), stat(folder)]).catch(() => []);
    if (a !== undefined && b !== undefined && a.dev === b.dev) return true;
  }
  return false;
}

/**
 * Lets ffmpeg write a tiny file in a folder, under a name such as videos have until they are complete; nothing stays there.
 *
 * @returns what ffmpeg says if it cannot, or `nothing, and wrote nothing`.
 */
export async function findRefusal(
  ffmpeg: FfmpegInfo,
  folder: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const trial = partialPath(path.join(path.resolve(folder), 'trial.wav'));
  let complaint = '';
  try {
    await runFfmpeg(
      ffmpeg.path,
      {
        inputs: [{ source: 'anullsrc=r=8000:cl=mono', options: ['-f', 'lavfi'] }],
        outputOptions: ['-t', '0.001', '-c:a', 'pcm_s16le', '-f', 'wav'],
        output: fileUrl(trial),
      },
      {
        purpose: `write in ${folder}`,
        signal,
        onStderrLine: (line) => {
          complaint ||= parseComplaint(line) ?? '';
        },
      },
    ).done;
    // Some see a folder of their own in its place, and write there.
    return existsSync(trial) ? undefined : 'nothing, and wrote it elsewhere';
  } catch (error) {
    signal?.throwIfAborted();
    return complaint || (error as Error).message;
  } finally {
    await rm(trial, { force: true }).catch(() => {});
  }
}

/**
 * Checks, before anything is rendered, that an ffmpeg may write where a video goes. Those that come with packages may wherever
 * this program may; others are tried once for each folder and those in it.
 *
 * @throws {@link EnvironmentError} if it may not.
 */
export async function assertWritesIn(
  ffmpeg: FfmpegInfo,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  if (ffmpeg.source !== 'FFMPEG_PATH' && ffmpeg.source !== 'PATH') return;
  const absolute = path.resolve(folder);
  if (await isWritable(ffmpeg, absolute)) return;
  const said = await findRefusal(ffmpeg, folder, signal);
  if (said !== undefined) {
    throw new EnvironmentError(
      `Cannot write in ${folder}: expected ${ffmpeg.path} to write hidden files there, got "${said}". ${CONFINED_ADVICE}`,
    );
  }
  const known = writable.get(ffmpeg.path) ?? new Set();
  writable.set(ffmpeg.path, known.add(absolute));
}

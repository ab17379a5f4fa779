/** Whether a video that an encoder has written is whole: some end with exit code 0 although the disk was full. */
import { open, readdir } from 'node:fs/promises';
import type { OutputFormat } from './output-formats.ts';
import { OUTPUT_FORMATS } from './output-formats.ts';
import { FRAME_NAME } from './prepare-output.ts';
import { type ProbeOptions, readVideoSpan } from './probe.ts';

/** How long the frames are shown that a file may leave out because they are as the one before, in seconds of rounding. */
const MERGED_TOLERANCE = 0.06;

/** What was to be written. */
interface Expected {
  readonly frames: number;
  readonly fps: number;
}

/**
 * Reads what was written, without decoding it.
 *
 * @param written - the file, or the folder.
 * @returns how many frames are there, as far as that can be known; `frames` if all are.
 * @throws an error if it cannot be read.
 */
export async function countWrittenFrames(
  written: string,
  format: OutputFormat,
  { frames, fps }: Expected,
  options: ProbeOptions,
): Promise<number> {
  if (format.place === 'folder') {
    return (await readdir(written)).filter((name) => FRAME_NAME.test(name)).length;
  }
  // Frames that are as the one before are not stored again, but shown for longer.
  const merged = (duration: number): number =>
    Math.abs(duration - frames / fps) <= MERGED_TOLERANCE ? frames : Math.round(duration * fps);
  if (format === OUTPUT_FORMATS.webp) return merged(await webpDuration(written));
  const { count, duration } = await readVideoSpan(written, options);
  return format === OUTPUT_FORMATS.gif ? merged(duration) : count;
}

/** Bytes of a chunk's name and length. */
const CHUNK_HEAD = 8;
/** Where the duration of a frame stands in its chunk, 24 bits of milliseconds. */
const DURATION_AT = 12;

/**
 * Seconds of an animated WebP.
 *
 * Source: WebP container specification, chunk ANMF.
 */
async function webpDuration(file: string): Promise<number> {
  const handle = await open(file);
  try {
    const head = Buffer.alloc(CHUNK_HEAD + DURATION_AT + 3);
    await handle.read(head, 0, 12, 0);
    if (head.toString('latin1', 0, 4) !== 'RIFF' || head.toString('latin1', 8, 12) !== 'WEBP') {
      throw new Error(`${file} is no WebP`);
    }
    const end = CHUNK_HEAD + head.readUInt32LE(4);
    const { size } = await handle.stat();
    if (size < end) throw new Error(`${file} is cut off`);
    let milliseconds = 0;
    for (let at = 12; at + CHUNK_HEAD <= end; ) {
      await handle.read(head, 0, head.length, at);
      if (head.toString('latin1', 0, 4) === 'ANMF') {
        milliseconds += head.readUIntLE(CHUNK_HEAD + DURATION_AT, 3);
      }
      const length = head.readUInt32LE(4);
      at += CHUNK_HEAD + length + (length & 1);
    }
    return milliseconds / 1000;
  } finally {
    await handle.close();
  }
}

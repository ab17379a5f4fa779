/**
 * Recordings that were put behind each other byte by byte: where each begins, if it says so. ffmpeg reads such a file as one: it
 * takes the header of a later recording for sound (MP3, FLAC, Opus), or ignores all that comes after the first (WAV, MP4).
 */
import { type FileHandle, open } from 'node:fs/promises';

/** A part of a file: bytes from `start` on, before `end`. */
export interface FilePart {
  readonly start: number;
  readonly end: number;
}

/** A frame of MP3 that is found. */
interface Mp3Frame {
  readonly length: number;
  /** Whether it holds no sound, but what the whole recording is like: encoders write it first. */
  readonly isHeader: boolean;
}

const READ_BYTES = 1 << 20;
/** From a frame's beginning to the end of the mark of a header. */
const FRAME_HEAD = 40;
/** The marker of a file, and the header of its first block, which has 34 bytes. Source: RFC 9639, section 8. */
const FLAC_HEAD = Buffer.from('fLaC\0\0\0\x22', 'latin1');
/** Bytes of an Ogg page before its table of segments, of which there are 255 at most. Source: RFC 3533, section 6. */
const OGG_PAGE_HEAD = 27;
const OGG_FIRST_PAGE = 2;
/** How the first packets of Theora, Dirac, VP8, and of the old films of Ogg begin. */
const OGG_PICTURES = ['\x80theora', 'BBCD\0', 'OVP80', '\x01video'];
/** What follows the length of a WAV file, as nearly all begin. */
const WAVE_HEAD = Buffer.from('WAVEfmt ', 'latin1');
/** After so many bytes without a frame the rest is left to ffmpeg. */
const MOST_FOREIGN_BYTES = 1 << 16;

/** Kilobits per second by the header's index, of MPEG-1 and of MPEG-2 and 2.5. Source: ISO/IEC 11172-3, 13818-3, layer III. */
const BIT_RATES = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/** Hz by the header's index, of MPEG-1. */
const SAMPLE_RATES = [44100, 48000, 32000];
/** The rate's divisor by the header's version: 2.5, none, 2, 1. */
const RATE_DIVISORS = [4, 0, 2, 1];

/**
 * Finds the recordings that a file is made of, from one that has a header to the next.
 *
 * @returns nothing for a file that is one recording, has pictures, or is of another kind than MP3, WAV, FLAC, MP4 and Ogg.
 * @throws an error of `node:fs` if the file cannot be read.
 */
export async function findJoinedFiles(filePath: string): Promise<FilePart[]> {
  const file = new FileWindow(await open(filePath));
  try {
    const { size } = await file.stat();
    const starts = await findStarts(file, size);
    if (starts.length < 2) return [];
    return starts.map((start, i) => ({ start, end: starts[i + 1] ?? size }));
  } finally {
    await file.close();
  }
}

async function findStarts(file: FileWindow, size: number): Promise<number[]> {
  const head = await file.at(0, FRAME_HEAD);
  if (await isWave(file, 0)) return waveStarts(file, size);
  if (head.subarray(0, FLAC_HEAD.length).equals(FLAC_HEAD)) return flacStarts(file, size);
  if (head.toString('latin1', 0, 4) === 'OggS') return oggStarts(file);
  return head.toString('latin1', 4, 8) === 'ftyp' ? mp4Starts(file, size) : mp3Starts(file);
}

/** Where the marker stands with the header of the block that always follows it. */
async function flacStarts(file: FileWindow, size: number): Promise<number[]> {
  const starts: number[] = [];
  for (
    let at: number | undefined = 0;
    at !== undefined;
    at = await findBytes(file, FLAC_HEAD, at + 1, size)
  ) {
    starts.push(at);
  }
  return starts;
}

/** Where `wanted` stands next, from a byte on. */
async function findBytes(
  file: FileWindow,
  wanted: Buffer,
  from: number,
  size: number,
): Promise<number | undefined> {
  for (let at = from; at < size; at += READ_BYTES - wanted.length) {
    const found = (await file.at(at, READ_BYTES)).indexOf(wanted);
    if (found >= 0) return at + found;
  }
  return undefined;
}

/** Beginnings of MP4 files that are whole and have no picture: each begins with a box of its own. */
async function mp4Starts(file: FileWindow, size: number): Promise<number[]> {
  const starts: number[] = [];
  for (let at = 0; at < size; ) {
    const head = await file.at(at, 16);
    if (head.length < 8) return starts;
    const kind = head.toString('latin1', 4, 8);
    const short = head.readUInt32BE(0);
    const length = short === 1 && head.length === 16 ? Number(head.readBigUInt64BE(8)) : short;
    if (length < 8) return starts; // to the end of the file
    if (kind === 'ftyp') starts.push(at);
    if (kind === 'moov' && (await file.at(at, Math.min(length, READ_BYTES))).includes('vide')) return [];
    at += length;
  }
  return starts;
}

/** Beginnings of the links of a chain: pages that begin a stream, after pages that do not. */
async function oggStarts(file: FileWindow): Promise<number[]> {
  const starts: number[] = [];
  let beginsBefore = false;
  for (let at = 0; ; ) {
    const head = await file.at(at, OGG_PAGE_HEAD + 255 + 8);
    if (head.length < OGG_PAGE_HEAD || head.toString('latin1', 0, 4) !== 'OggS') return starts;
    const data = OGG_PAGE_HEAD + head[26]!;
    const begins = (head[5]! & OGG_FIRST_PAGE) !== 0;
    if (begins && OGG_PICTURES.some((mark) => head.subarray(data).indexOf(mark, 0, 'latin1') === 0))
      return [];
    if (begins && !beginsBefore) starts.push(at);
    beginsBefore = begins;
    at += head.subarray(OGG_PAGE_HEAD, data).reduce((length, segment) => length + segment, data);
  }
}

async function isWave(file: FileWindow, at: number): Promise<boolean> {
  const head = await file.at(at, 12);
  return (
    head.length === 12 &&
    head.toString('latin1', 0, 4) === 'RIFF' &&
    head.toString('latin1', 8, 12) === 'WAVE'
  );
}

/** Beginnings of WAV files: one that states its length leads to the next, another's is looked for. */
async function waveStarts(file: FileWindow, size: number): Promise<number[]> {
  const starts = [0];
  for (let at = 0; ; ) {
    const length = 8 + (await file.at(at, 8)).readUInt32LE(4);
    if (length === 8 || at + length > size + 1) {
      // What was streamed has 0 or the greatest number there.
      const next = await findWave(file, at + 12, size);
      if (next === undefined) return starts;
      starts.push(next);
      at = next;
      continue;
    }
    // Chunks have an even length; the last byte may be missing.
    const candidates = length % 2 === 0 ? [at + length] : [at + length + 1, at + length];
    let next: number | undefined;
    for (const candidate of candidates) if (await isWave(file, candidate)) next ??= candidate;
    if (next === undefined) return starts;
    starts.push(next);
    at = next;
  }
}

async function findWave(file: FileWindow, from: number, size: number): Promise<number | undefined> {
  for (let at: number | undefined = from; at !== undefined; at++) {
    at = await findBytes(file, WAVE_HEAD, at, size);
    if (at === undefined) return undefined;
    if (at >= from + 8 && (await isWave(file, at - 8))) return at - 8;
  }
  return undefined;
}

/** Beginnings of MP3 files that have a header, with the tags before it. */
async function mp3Starts(file: FileWindow): Promise<number[]> {
  const starts: number[] = [];
  let frames = 0;
  /** Where the tags before the next frame begin. */
  let tags: number | undefined;
  for (let at = 0; ; ) {
    const head = await file.at(at, FRAME_HEAD);
    const tag = tagLength(head);
    if (tag !== undefined) {
      // One of version 1 ends the recording before.
      tags = head.toString('latin1', 0, 3) === 'ID3' ? (tags ?? at) : undefined;
      at += tag;
      continue;
    }
    const frame = readFrame(head);
    if (frame === undefined) {
      const next = frames === 0 ? undefined : await nextFrame(file, at);
      if (next === undefined) return starts;
      at = next;
      continue;
    }
    if (frames === 0 || frame.isHeader) starts.push(frames === 0 ? 0 : (tags ?? at));
    frames++;
    tags = undefined;
    at += frame.length;
  }
}

/** Bytes of the tag that begins here: ID3 version 2 or 1, or APE. */
function tagLength(head: Buffer): number | undefined {
  if (head.length < 10) return undefined;
  const name = head.toString('latin1', 0, 3);
  if (name === 'TAG') return 128;
  if (name === 'ID3') {
    const size = [6, 7, 8, 9].reduce((sum, i) => (sum << 7) | (head[i]! & 0x7f), 0);
    return 10 + size + (head[5]! & 0x10 ? 10 : 0); // with a footer
  }
  if (head.length < 24 || head.toString('latin1', 0, 8) !== 'APETAGEX') return undefined;
  const isHeader = (head.readUInt32LE(20) & 0x20000000) !== 0;
  return isHeader ? 32 + head.readUInt32LE(12) : 32;
}

/** The frame that begins here; undefined if none of layer III does, or one of free bit rate. */
function readFrame(head: Buffer): Mp3Frame | undefined {
  if (head.length < 4 || head[0] !== 0xff || (head[1]! & 0xe6) !== 0xe2) return undefined;
  const version = (head[1]! >> 3) & 3;
  const isFirst = version === 3;
  const bitRate = BIT_RATES[isFirst ? 0 : 1]![head[2]! >> 4];
  const rate = SAMPLE_RATES[(head[2]! >> 2) & 3];
  const divisor = RATE_DIVISORS[version]!;
  if (!bitRate || rate === undefined || divisor === 0) return undefined;
  const padding = (head[2]! >> 1) & 1;
  const length = Math.floor(((isFirst ? 144 : 72) * 1000 * bitRate) / (rate / divisor)) + padding;
  const isMono = head[3]! >> 6 === 3;
  const sideBytes = isFirst ? (isMono ? 17 : 32) : isMono ? 9 : 17;
  const mark = head.toString('latin1', 4 + sideBytes, 8 + sideBytes);
  return {
    length,
    isHeader: mark === 'Xing' || mark === 'Info' || head.toString('latin1', 36, 40) === 'VBRI',
  };
}

/** Where frames go on after bytes that are none: at one that is followed by another, or by the end. */
async function nextFrame(file: FileWindow, from: number): Promise<number | undefined> {
  for (let at = from; at < from + MOST_FOREIGN_BYTES; at++) {
    const head = await file.at(at, FRAME_HEAD);
    if (head.length < 4) return undefined;
    if (tagLength(head) !== undefined) return at;
    const frame = readFrame(head);
    if (frame === undefined) continue;
    const after = await file.at(at + frame.length, FRAME_HEAD);
    if (after.length === 0 || tagLength(after) !== undefined || readFrame(after) !== undefined) return at;
  }
  return undefined;
}

/** An open file of which a piece is in memory. */
class FileWindow {
  readonly #file: FileHandle;
  readonly #bytes = Buffer.alloc(READ_BYTES);
  #start = 0;
  #length = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Up to `length` bytes from `position` on, fewer at the end; valid until the next call. */
  async at(position: number, length: number): Promise<Buffer> {
    if (position < this.#start || position + length > this.#start + this.#length) {
      const { bytesRead } = await this.#file.read(this.#bytes, 0, READ_BYTES, position);
      [this.#start, this.#length] = [position, bytesRead];
    }
    const from = position - this.#start;
    return this.#bytes.subarray(from, Math.min(from + length, this.#length));
  }

  stat(): Promise<{ readonly size: number }> {
    return this.#file.stat();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

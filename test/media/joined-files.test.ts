/** Where recordings begin that were put behind each other byte by byte: files of made headers, and of two encoders' frames. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { findJoinedFiles } from '../../src/media/joined-files.ts';
import { chirps, encodeWav, temporaryDirectory } from '../helpers/media.ts';

const LIMIT = { timeout: 120_000 };
const folder = temporaryDirectory();
let files = 0;

async function startsOf(...pieces: readonly Buffer[]): Promise<number[]> {
  const name = path.join(folder, `${files++}`);
  const bytes = Buffer.concat(pieces);
  writeFileSync(name, bytes);
  const parts = await findJoinedFiles(name);
  for (const [i, { end }] of parts.entries()) assert.equal(end, parts[i + 1]?.start ?? bytes.length);
  return parts.map(({ start }) => start);
}

/** A frame of layer III without sound; `kind` is the second and third byte of its header. */
function frame(kind: readonly [number, number], length: number, { mono = false, mark = '' } = {}): Buffer {
  const bytes = Buffer.alloc(length, 0x55);
  bytes.set([0xff, ...kind, mono ? 0xc4 : 0x04]);
  const isFirst = ((kind[0] >> 3) & 3) === 3;
  const side = mark === 'VBRI' ? 32 : isFirst ? (mono ? 17 : 32) : mono ? 9 : 17;
  bytes.write(mark, 4 + side, 'latin1');
  return bytes;
}

/** MPEG-1, 44.1 kHz, 128 kbit/s; MPEG-2, 24 kHz, 64 kbit/s, with padding; MPEG-2.5, 11.025 kHz, 32 kbit/s. */
const KINDS = [
  { kind: [0xfb, 0x90], length: 417 },
  { kind: [0xf3, 0x86], length: 193 },
  { kind: [0xe3, 0x40], length: 208 },
] as const;

/** ID3 version 2 of so many bytes, with a length that needs more than seven bits. */
function id3(length: number): Buffer {
  const bytes = Buffer.alloc(length, 0xff);
  bytes.write('ID3\x04\0\0', 'latin1');
  const size = length - 10;
  bytes.set([(size >> 21) & 127, (size >> 14) & 127, (size >> 7) & 127, size & 127], 6);
  return bytes;
}
const id3v1 = Buffer.alloc(128, 'TAG', 'latin1');
const ape = Buffer.alloc(32 + 100, 1);
ape.write('APETAGEX', 'latin1');
ape.writeUInt32LE(100, 12);
ape.writeUInt32LE(0xa0000000, 20);

for (const { kind, length } of KINDS) {
  for (const mono of [false, true]) {
    test(
      `frames of ${length} bytes, ${mono ? 'mono' : 'stereo'}: each header begins a part, with the tags before it`,
      LIMIT,
      async () => {
        const sound = frame(kind, length, { mono });
        const header = (mark: string) => frame(kind, length, { mono, mark });
        const one = Buffer.concat([header('Xing'), sound, sound]);
        const tagged = Buffer.concat([id3(400), header('Info'), sound]);
        assert.deepEqual(await startsOf(one), []);
        assert.deepEqual(await startsOf(tagged, id3v1), []);
        assert.deepEqual(await startsOf(one, one), [0, one.length]);
        assert.deepEqual(await startsOf(tagged, id3v1, tagged, ape, one), [
          0,
          tagged.length + id3v1.length,
          2 * tagged.length + id3v1.length + ape.length,
        ]);
      },
    );
  }
}

test('FLAC files begin with their marker, also where a reader’s pieces meet', LIMIT, async () => {
  const flac = (length: number): Buffer => {
    const bytes = Buffer.alloc(length, 0x66); // the letter f
    bytes.write('fLaC\0\0\0\x22', 'latin1');
    return bytes;
  };
  assert.deepEqual(await startsOf(flac(5000)), []);
  for (const length of [5000, 2 ** 20 - 8, 2 ** 20 - 4, 2 ** 20, 2 ** 20 + 3]) {
    assert.deepEqual(await startsOf(flac(length), flac(100), flac(100)), [0, length, length + 100]);
  }
});

/** A page of Ogg with one packet. */
function page(flags: number, packet: string): Buffer {
  const lengths = [...Array(Math.floor(packet.length / 255)).fill(255), packet.length % 255];
  const head = Buffer.alloc(27);
  head.write('OggS', 'latin1');
  head.set([flags], 5);
  head.set([lengths.length], 26);
  return Buffer.concat([head, Buffer.from(lengths), Buffer.from(packet, 'latin1')]);
}

test(
  'links of a chained Ogg begin with the pages that begin streams; those with pictures stay one',
  LIMIT,
  async () => {
    const sound = Buffer.concat([page(2, 'OpusHead'), page(0, 'OpusTags'), page(4, 'x'.repeat(700))]);
    const two = Buffer.concat([page(2, 'fishead'), page(2, '\x01vorbis'), page(0, 'x'), page(4, '')]);
    const film = Buffer.concat([page(2, '\x80theora'), page(2, '\x01vorbis'), page(4, 'x')]);
    assert.deepEqual(await startsOf(sound), []);
    assert.deepEqual(await startsOf(two), []);
    assert.deepEqual(await startsOf(sound, two, sound), [0, sound.length, sound.length + two.length]);
    assert.deepEqual(await startsOf(sound, film), []);
    assert.deepEqual(await startsOf(sound, sound.subarray(0, 30)), [0, sound.length]);
    assert.deepEqual(await startsOf(Buffer.concat([sound, Buffer.from('no page')]), sound), []);
  },
);

test('MP4 files begin with a box of their own; those with pictures stay one', LIMIT, async () => {
  const box = (kind: string, content: string): Buffer => {
    const bytes = Buffer.alloc(8 + content.length);
    bytes.writeUInt32BE(bytes.length);
    bytes.write(kind + content, 4, 'latin1');
    return bytes;
  };
  const large = Buffer.alloc(16 + 5);
  large.writeUInt32BE(1);
  large.write('mdat', 4, 'latin1');
  large.writeBigUInt64BE(BigInt(large.length), 8);
  const sound = Buffer.concat([box('ftyp', 'M4A '), large, box('moov', 'hdlr soun')]);
  const film = Buffer.concat([box('ftyp', 'isom'), box('moov', 'hdlr vide soun'), box('mdat', 'xyz')]);
  const endless = Buffer.concat([box('ftyp', 'M4A '), Buffer.alloc(4), Buffer.from('mdatabc')]);
  assert.deepEqual(await startsOf(sound), []);
  assert.deepEqual(await startsOf(sound, sound), [0, sound.length]);
  assert.deepEqual(await startsOf(sound, endless, sound), [0, sound.length]);
  assert.deepEqual(await startsOf(film, film), []);
  assert.deepEqual(await startsOf(sound, film), []);
});

test('WAV files begin where the one before says that it ends', LIMIT, async () => {
  const wav = Buffer.from(encodeWav(chirps(0.1, 8000), 8000));
  const odd = Buffer.from(wav.subarray(0, wav.length - 1));
  odd.writeUInt32LE(odd.length - 8, 4);
  assert.deepEqual(await startsOf(wav), []);
  assert.deepEqual(await startsOf(wav, wav, wav), [0, wav.length, 2 * wav.length]);
  assert.deepEqual(await startsOf(odd, wav), [0, odd.length]);
  assert.deepEqual(await startsOf(odd, Buffer.alloc(1), wav), [0, odd.length + 1]);
});

test(
  'WAV files that were streamed, and do not know their length, end where another begins',
  LIMIT,
  async () => {
    for (const length of [0, 0xffffffff, 0x7ffff000]) {
      for (const seconds of [0.1, 70]) {
        const wav = Buffer.from(encodeWav(chirps(seconds, 8000), 8000));
        wav.writeUInt32LE(length, 4);
        // Sound in which only a part of the mark stands.
        wav.write('WAVEfmt ', 60, 'latin1');
        wav.write('RIFF....WAVEfm', 90, 'latin1');
        assert.deepEqual(await startsOf(wav), []);
        assert.deepEqual(await startsOf(wav, wav, wav), [0, wav.length, 2 * wav.length]);
        assert.deepEqual(await startsOf(wav, Buffer.alloc(3), wav), [0, wav.length + 3]);
      }
    }
  },
);

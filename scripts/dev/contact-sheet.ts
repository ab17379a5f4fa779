/**
 * Frames of a video, evenly spread, as one picture.
 *
 *   node --import=tsx scripts/dev/contact-sheet.ts VIDEO OUT.png [--columns 6] [--rows 4] [--width 240]
 */
import { parseArgs } from 'node:util';
import { saveImage } from '../../src/image/encode-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { pictureGrid } from '../lib/picture-grid.ts';

const USAGE = 'usage: contact-sheet.ts VIDEO OUT.png [--columns 6] [--rows 4] [--width 240]';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    columns: { type: 'string', default: '6' },
    rows: { type: 'string', default: '4' },
    width: { type: 'string', default: '240' },
  },
});
const [video, out] = positionals;
const [columns, rows, width] = [Number(values.columns), Number(values.rows), Number(values.width)];
if (video === undefined || out === undefined || ![columns, rows, width].every((n) => n >= 1 && n <= 4096)) {
  console.error(USAGE);
  process.exit(2);
}

const ffmpeg = await locateFfmpeg({ env: process.env });
// The number of frames in a header may be wrong: they are counted, then picked.
let total = 0;
for await (const _ of readFrames(video, { ffmpeg })) total += 1;
const cells = columns * rows;
const wanted = new Map<number, number[]>();
for (let cell = 0; cell < cells; cell++) {
  const frame = Math.min(total - 1, Math.floor(((cell + 0.5) * total) / cells));
  wanted.set(frame, [...(wanted.get(frame) ?? []), cell]);
}
const pictures: (RgbImage | undefined)[] = new Array(cells).fill(undefined);
let index = 0;
for await (const frame of readFrames(video, { ffmpeg })) {
  for (const cell of wanted.get(index) ?? []) pictures[cell] = frame;
  index += 1;
}
const first = pictures.find((picture) => picture !== undefined)!;
const grid = pictureGrid(
  Array.from({ length: rows }, (_, row) => pictures.slice(row * columns, (row + 1) * columns)),
  { width, height: Math.round((width * first.height) / first.width) },
);
await saveImage(out, grid);
console.log(`${out}: ${grid.width}×${grid.height}, ${cells} of ${total} frames`);

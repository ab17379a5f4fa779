import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { InvalidOptionError, MediaError } from '../../src/errors.ts';
import { encodeImage, saveImage } from '../../src/image/encode-image.ts';
import { loadImage } from '../../src/image/load-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { psnr, temporaryDirectory } from '../helpers/media.ts';

const LIMIT = { timeout: 600_000 };
const directory = temporaryDirectory();
const at = (name: string) => path.join(directory, name);

/** Red left, green right, blue below: every turn and every swap of channels shows. */
const WIDTH = 48;
const HEIGHT = 32;
const corners: RgbImage = {
  width: WIDTH,
  height: HEIGHT,
  data: Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => {
    const x = Math.floor(i / 3) % WIDTH;
    const y = Math.floor(i / 3 / WIDTH);
    const colour = y >= HEIGHT / 2 ? [40, 60, 200] : x < WIDTH / 2 ? [200, 60, 40] : [60, 180, 60];
    return colour[i % 3]!;
  }),
};
const raw = () => sharp(corners.data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });

function pixel({ data, width }: RgbImage, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

async function saved(name: string, picture: Sharp): Promise<string> {
  writeFileSync(at(name), await picture.toBuffer());
  return at(name);
}

function assertColour(actual: number[], expected: number[], tolerance: number): void {
  const close = actual.every((value, i) => Math.abs(value - expected[i]!) <= tolerance);
  assert.ok(close, `${actual.join(' ')} instead of ${expected.join(' ')}`);
}

const FORMATS: readonly (readonly [name: string, picture: Sharp, tolerance: number])[] = [
  ['plain.png', raw().png(), 0],
  ['palette.png', raw().png({ palette: true }), 4],
  ['deep.png', raw().toColourspace('rgb16').png(), 1],
  ['plain.jpg', raw().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }), 6],
  // Printing inks have no such blue.
  ['print.jpg', raw().toColourspace('cmyk').jpeg({ quality: 95 }), 80],
  ['print.tif', raw().toColourspace('cmyk').withIccProfile('cmyk').tiff(), 80],
  ['wide.jpg', raw().withIccProfile('p3').jpeg({ quality: 95, chromaSubsampling: '4:4:4' }), 8],
  ['plain.webp', raw().webp({ lossless: true }), 0],
  ['plain.gif', raw().gif(), 6],
  ['plain.avif', raw().avif({ quality: 90, effort: 0 }), 12],
];
for (const [name, picture, tolerance] of FORMATS) {
  test(`${name} keeps size and colours`, async () => {
    const image = await loadImage(await saved(name, picture));
    assert.deepEqual([image.width, image.height, image.data.length], [WIDTH, HEIGHT, WIDTH * HEIGHT * 3]);
    assertColour(pixel(image, 8, 6), [200, 60, 40], tolerance);
    assertColour(pixel(image, 40, 6), [60, 180, 60], tolerance);
    assertColour(pixel(image, 24, 26), [40, 60, 200], tolerance);
  });
}

test('EXIF orientation is applied', async () => {
  // 6: the camera was turned, the picture has to be turned clockwise by 90°.
  const image = await loadImage(await saved('turned.png', raw().withMetadata({ orientation: 6 }).png()));
  assert.deepEqual([image.width, image.height], [HEIGHT, WIDTH]);
  assert.deepEqual(pixel(image, 5, 20), [40, 60, 200]);
  assert.deepEqual(pixel(image, 28, 5), [200, 60, 40]);
  assert.deepEqual(pixel(image, 28, 44), [60, 180, 60]);
});

test('grey, with and without transparency and in 16 bit, becomes RGB', async () => {
  const grey = () => raw().toColourspace('b-w');
  for (const [name, picture] of [
    ['grey.png', grey().png()],
    ['grey16.png', grey().toColourspace('grey16').png()],
    ['grey-alpha.png', grey().ensureAlpha(1).png()],
  ] as const) {
    const image = await loadImage(await saved(name, picture));
    assert.equal(image.data.length, WIDTH * HEIGHT * 3);
    const [r, g, b] = pixel(image, 8, 6);
    assert.ok(r === g && g === b && r! > 60 && r! < 160, `${name}: ${r} ${g} ${b}`);
  }
});

test('transparency becomes light neutral grey', async () => {
  const image = await loadImage(await saved('clear.png', raw().ensureAlpha(0).png()));
  assert.deepEqual(pixel(image, 8, 6), [224, 224, 224]);
  const half = await loadImage(await saved('half.webp', raw().ensureAlpha(0.5).webp({ lossless: true })));
  assertColour(pixel(half, 8, 6), [212, 142, 132], 2);
});

test('of an animation the first picture is taken, with a notice', async () => {
  for (const format of ['gif', 'webp'] as const) {
    const frames = [0, 90, 180].map((shade) => ({
      create: { width: 20, height: 10, channels: 3 as const, background: { r: shade, g: 0, b: 255 - shade } },
    }));
    const pages = await Promise.all(frames.map((frame) => sharp(frame).png().toBuffer()));
    const animation = sharp(pages, { join: { animated: true } });
    const notices: string[] = [];
    const file = await saved(
      `moving.${format}`,
      format === 'gif' ? animation.gif() : animation.webp({ lossless: true }),
    );
    const image = await loadImage(file, { onNotice: (notice) => notices.push(notice) });
    assert.deepEqual([image.width, image.height], [20, 10]);
    assertColour(pixel(image, 3, 3), [0, 0, 255], 8);
    assert.match(notices.join(), /has 3 pictures: used the first/);
  }
});

test('a single pixel is a picture', async () => {
  const image = await loadImage(await saved('dot.png', raw().resize(1, 1).png()));
  assert.deepEqual([image.width, image.height, image.data.length], [1, 1, 3]);
});

test('a file that has changed is read again', async () => {
  await loadImage(await saved('same.png', raw().png()));
  const image = await loadImage(await saved('same.png', raw().negate().png()));
  assert.deepEqual(pixel(image, 8, 6), [55, 195, 215]);
});

/** A PNG of which only the header is true. */
function hugePng(side: number): Buffer {
  const chunk = (type: string, content: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(content.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', Buffer.from([0x78, 0x9c])),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

mkdirSync(at('folder.jpg'));
writeFileSync(at('empty.jpg'), '');
writeFileSync(at('text.jpg'), 'not a picture');
writeFileSync(at('huge.png'), hugePng(60000));
writeFileSync(at('head.png'), hugePng(60).subarray(0, 40));
const jpeg = await raw().resize(480, 320).jpeg().toBuffer();
writeFileSync(at('cut.jpg'), jpeg.subarray(0, jpeg.length * 0.6));
writeFileSync(at('photo.heic'), Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x08free', 'latin1'));

const BAD: readonly (readonly [what: string, name: string, message: RegExp])[] = [
  ['a missing file', 'none.jpg', /expected a file, got nothing at this path$/],
  ['a folder', 'folder.jpg', /expected a file, got a folder$/],
  ['an empty file', 'empty.jpg', /expected a file, got one of zero bytes$/],
  ['a text', 'text.jpg', /expected a picture .* got a file in no such format$/],
  [
    'a picture of 3.6 gigapixels',
    'huge.png',
    /expected at most 250\.0 megapixels, got 60000×60000; make it smaller first$/,
  ],
  ['a cut-off JPEG', 'cut.jpg', /expected a whole picture, got a damaged one/],
  [
    'a PNG that ends in its header',
    'head.png',
    /expected a whole picture, got a damaged or an unusual one \(its header is cut off\); save it as JPEG or PNG$/,
  ],
  ['HEIC', 'photo.heic', /got HEIC; save it as JPEG or PNG$/],
];
for (const [what, name, message] of BAD) {
  test(`${what} is refused in one line`, async () => {
    await assert.rejects(loadImage(at(name)), (error) => {
      assert.ok(error instanceof MediaError);
      assert.equal(error.path, at(name));
      assert.match(error.message, message);
      assert.ok(error.message.startsWith(`Cannot read image ${at(name)}: `) && !error.message.includes('\n'));
      return true;
    });
  });
}

test('pictures are written in the format of their name', async () => {
  await saveImage(at('out.png'), corners);
  assert.deepEqual((await loadImage(at('out.png'))).data, corners.data);
  await saveImage(at('out.jpg'), corners);
  assert.ok(psnr((await loadImage(at('out.jpg'))).data, corners.data) > 35);
  assert.deepEqual([...(await encodeImage(corners, 'jpeg')).subarray(0, 2)], [0xff, 0xd8]);
  await assert.rejects(saveImage(at('out.bmp'), corners), InvalidOptionError);
  await assert.rejects(saveImage(at('none/out.png'), corners), MediaError);
});

/** The mean colour of a picture. */
function meanOf({ data }: RgbImage): number[] {
  const sum = [0, 0, 0];
  for (let i = 0; i < data.length; i++) sum[i % 3]! += data[i]!;
  return sum.map((value) => value / (data.length / 3));
}

const large = () => raw().resize(480, 320, { kernel: 'nearest' });

test('what every viewer shows is read, with a note of its faults', LIMIT, async () => {
  const whole = await large().jpeg({ quality: 95 }).toBuffer();
  const expected = meanOf(await loadImage(await saved('whole.jpg', sharp(whole))));
  const scan = whole.indexOf(Buffer.from([0xff, 0xda]));
  const samsung = Buffer.from(whole);
  samsung[scan + 12] = 0; // the end of the spectrum, 63 in every other file
  const faults: readonly (readonly [name: string, bytes: Buffer, note: RegExp])[] = [
    ['scan-header.jpg', samsung, /has faults that do not keep it from being read: Invalid SOS parameters/],
    ['no-end.jpg', whole.subarray(0, -2), /its end marker is missing$/],
    ['more.jpg', Buffer.concat([whole, Buffer.from('a gain map, or what a program left')]), /^$/],
  ];
  for (const [name, bytes, note] of faults) {
    writeFileSync(at(name), bytes);
    const notices: string[] = [];
    const image = await loadImage(at(name), { onNotice: (notice) => notices.push(notice) });
    assert.deepEqual([image.width, image.height], [480, 320], name);
    assertColour(meanOf(image), expected, 3);
    assert.match(notices.join(), note, name);
  }
  // Rows that are missing are missing, also behind another fault.
  for (const [name, bytes] of [
    ['rows.jpg', whole.subarray(0, whole.length * 0.8)],
    ['both.jpg', samsung.subarray(0, samsung.length * 0.6)],
  ] as const) {
    writeFileSync(at(name), bytes);
    await assert.rejects(loadImage(at(name)), /expected a whole picture, got a damaged one/, name);
  }
});

test('pictures of 48 megapixels are read at a smaller size', LIMIT, async () => {
  const photo = await saved('phone.jpg', raw().resize(8000, 6000, { fit: 'fill', kernel: 'nearest' }).jpeg());
  const notices: string[] = [];
  const image = await loadImage(photo, { onNotice: (notice) => notices.push(notice) });
  assert.ok(image.width * image.height <= 24.1e6 && image.width > 5000, `${image.width}×${image.height}`);
  assertColour(pixel(image, 1000, 1000), [200, 60, 40], 6);
  assertColour(pixel(image, image.width - 100, 1000), [60, 180, 60], 6);
  assert.match(notices.join(), /has 8000×6000 pixels: read at 5657×4243/);
});

test('files of other kinds are called by their names, whatever theirs end in', async () => {
  for (const [name, head, kind] of [
    ['paint.jpg', 'BM\x36\x00\x0c\x00', 'BMP'],
    ['iphone.png', '\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'HEIC'],
    ['clip.jpg', '\0\0\0\x18ftypisom\0\0\0\0isomavc1', 'an MP4 or QuickTime video'],
    ['saved.jpg', '<!DOCTYPE html><html><body>', 'a web page, not the picture on it'],
  ] as const) {
    writeFileSync(at(name), Buffer.from(head.padEnd(64, '\0'), 'latin1'));
    await assert.rejects(loadImage(at(name)), (error) => {
      assert.ok(error instanceof MediaError);
      assert.ok(error.message.endsWith(`got ${kind}; save it as JPEG or PNG`), error.message);
      return true;
    });
  }
});

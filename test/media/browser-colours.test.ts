/** What a browser shows of a written video, against what was written. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { loadImage } from '../../src/image/load-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { VideoWriter } from '../../src/media/video-writer.ts';
import { launchBrowser, openContext } from '../helpers/browser.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { noChromium } from '../helpers/requirements.ts';

/** Levels; wanted in ffmpeg and in a browser. */
const TOLERANCE = 3;
/** Pixels of a patch's side, and patches in a row. */
const SIDE = 32;
const ROW = 4;
const COLOURS = [
  ...[
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [0, 255, 255],
    [255, 0, 255],
    [255, 255, 0],
    [255, 255, 255],
    [0, 0, 0],
  ],
  ...[
    [128, 128, 128],
    [16, 200, 40],
    [30, 60, 220],
    [200, 40, 30],
    [220, 170, 140],
    [90, 60, 50],
    [0, 128, 0],
    [0, 0, 128],
  ],
];
/**
 * A graphics driver in software. Without any, Chromium converts frames with libyuv, whose factor from Cb to blue is 2.0 in place of
 * BT.709's 2.11 on x86: saturated green and blue are 12 levels off there, in every video.
 */
const GRAPHICS = [
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--enable-gpu-rasterization',
  '--ignore-gpu-blocklist',
  // A busy machine is slow to start it; without these, there is none afterwards.
  ...['--disable-gpu-watchdog', '--disable-gpu-process-crash-limit'],
];

test('a browser shows the colours that were written', { timeout: 600_000, skip: noChromium }, async () => {
  const folder = temporaryDirectory();
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const size = SIDE * ROW;
  const data = new Uint8Array(3 * size * size);
  for (let i = 0; i < size * size; i++) {
    const [x, y] = [i % size, Math.floor(i / size)];
    data.set(COLOURS[Math.floor(y / SIDE) * ROW + Math.floor(x / SIDE)]!, 3 * i);
  }
  const frame = { width: size, height: size, data };
  const outputPath = path.join(folder, 'colours.mp4');
  const writer = await VideoWriter.open({
    ffmpeg,
    outputPath,
    width: size,
    height: size,
    fps: 25,
    frames: 5,
  });
  try {
    for (let i = 0; i < 5; i++) await writer.write(frame);
    await writer.finish();
  } finally {
    await writer.dispose();
  }

  const browser = await launchBrowser(GRAPHICS);
  try {
    const page = await (await openContext(browser)).newPage();
    const source = `data:video/mp4;base64,${readFileSync(outputPath).toString('base64')}`;
    await page.setContent(`<body style="margin:0"><video muted src="${source}"></video></body>`);
    await page.evaluate(`(async () => {
      const video = document.querySelector('video');
      const shown = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
      await video.play();
      await shown;
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    })()`);
    const shot = path.join(folder, 'shot.png');
    await page.screenshot({ path: shot, clip: { x: 0, y: 0, width: size, height: size } });
    const seen = await loadImage(shot);
    COLOURS.forEach((colour, patch) => {
      const [x, y] = [(patch % ROW) * SIDE + SIDE / 2, Math.floor(patch / ROW) * SIDE + SIDE / 2];
      const at = 3 * (y * size + x);
      const shown = Array.from(seen.data.subarray(at, at + 3));
      const off = Math.max(...shown.map((level, c) => Math.abs(level - colour[c]!)));
      assert.ok(off <= TOLERANCE, `${colour} is shown as ${shown}`);
    });
  } finally {
    await browser.close();
  }
});

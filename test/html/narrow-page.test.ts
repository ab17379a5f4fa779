/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Report pages in Chromium, in a window as narrow as a telephone: nothing is cut off, and no page scrolls sideways. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { reportPage } from '../../src/compare/page/report-page.ts';
import { countJobs, type JobReport } from '../../src/jobs/batch-events.ts';
import { renderReportHtml } from '../../src/jobs/report-html.ts';
import { EXAMPLE_REPORT } from '../compare/example-report.ts';
import { launchBrowser, openContext } from '../helpers/browser.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { noChromium } from '../helpers/requirements.ts';

const WIDTH = 400;
/** Where pictures of the pages go, for who wants to look at them. */
const SHOTS = process.env.PAGE_SHOTS;
const folder = temporaryDirectory();
const background = { r: 90, g: 110, b: 130 };
const picture = await sharp({ create: { width: 320, height: 240, channels: 3, background } })
  .jpeg()
  .toBuffer();

const comparison = reportPage({
  report: EXAMPLE_REPORT,
  strip: {
    of: 'fast',
    against: 'original',
    amplification: 8,
    rows: [7, 8].map((frame) => ({ frame, of: picture, against: picture, difference: picture })),
  },
  videos: [
    { id: 'original', path: 'videos/original.mp4', bytes: undefined },
    { id: 'fast', path: 'videos/fast.mp4', bytes: undefined },
  ],
  sideBySide: 'side-by-side.mp4',
});

/** A name without a place to break it, and one of a language that may break anywhere. */
const NAMES = ['x'.repeat(180), '肖像画と音声'.repeat(20)];
const jobs = NAMES.flatMap((name, i): JobReport[] => {
  const common = {
    ...{ name, portrait: `/faces/${name}.jpg`, audio: `/speech/${name}.wav`, output: `/out/${name}.mp4` },
    ...{ reused: false, attempts: 1, seconds: 3725, waitSeconds: 12, resumedFrames: 0 },
  };
  const message = `Cannot read portrait /faces/${name}.jpg: expected a face, got none`;
  return [
    {
      ...common,
      ...{ index: 2 * i, state: 'failed', output: `/out/${name}-2.mp4` },
      failures: [{ attempt: 1, kind: 'permanent', code: 'FACE', message }],
    },
    {
      ...common,
      ...{ index: 2 * i + 1, state: 'done', failures: [] },
      ...{ frames: 5000, fps: 25, duration: 200, width: 1920, height: 1080 },
    },
  ];
});
const batch = renderReportHtml(
  {
    ...{ formatVersion: 1, manifest: `/clips/${NAMES[0]}.yaml`, state: 'partial' },
    ...{ startedAt: '2020-01-02T03:04:05.678Z', seconds: 7450, counts: countJobs(jobs), jobs },
  },
  new Map(jobs.map(({ index }) => [index, picture])),
  '/out/report',
);

let browser: Browser;
before(async () => {
  if (noChromium) return;
  browser = await launchBrowser();
});
after(() => browser?.close());

/** Runs in the page, so without functions of its own: what reaches over the window's edges, or is cut off by what it stands in. */
function findCut(): string[] {
  const elements = [...document.body.querySelectorAll('*')];
  const scrolling = elements.filter((element) =>
    ['auto', 'scroll'].includes(getComputedStyle(element).overflowX),
  );
  const found: string[] = [];
  for (const element of elements) {
    const box = element.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) continue;
    const name = `${element.tagName}.${element.getAttribute('class')} ${element.textContent?.trim().slice(0, 30)}`;
    const isReached = scrolling.some((other) => other !== element && other.contains(element));
    if (!isReached && (box.right > innerWidth + 1 || box.left < -1)) found.push(`outside: ${name}`);
    const { overflowX } = getComputedStyle(element);
    const isCut = ['hidden', 'clip'].includes(overflowX) && element.scrollWidth > element.clientWidth + 1;
    if (isCut && element.tagName !== 'svg') found.push(`cut: ${name}`);
    const drawing = element.closest('svg')?.getBoundingClientRect();
    if (element.tagName === 'text' && drawing !== undefined) {
      if (box.right > drawing.right + 1 || box.left < drawing.left - 1) found.push(`cut in a chart: ${name}`);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways');
  return found;
}

for (const [name, html] of Object.entries({ comparison, batch })) {
  test(`the page of a ${name} shows everything at ${WIDTH} pixels`, {
    timeout: 600_000,
    skip: noChromium,
  }, async () => {
    const file = path.join(folder, `${name}.html`);
    writeFileSync(file, html);
    const context = await openContext(browser, { viewport: { width: WIDTH, height: 800 } });
    const page = await context.newPage();
    await page.goto(pathToFileURL(file).href);
    if (SHOTS !== undefined) {
      mkdirSync(SHOTS, { recursive: true });
      await page.screenshot({ path: path.join(SHOTS, `${name}-${WIDTH}.png`), fullPage: true });
    }
    assert.deepEqual(await page.evaluate(findCut), []);
    // What is measured here finds something where there is something.
    await page.addStyleTag({ content: 'main { width: 600px }' });
    assert.notDeepEqual(await page.evaluate(findCut), []);
    await context.close();
  });
}

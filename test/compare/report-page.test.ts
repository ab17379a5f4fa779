import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METRIC_NOTES } from '../../src/compare/metric-notes.ts';
import { ticks, timeTicks } from '../../src/compare/page/quality-chart.ts';
import { reportPage } from '../../src/compare/page/report-page.ts';
import { EXAMPLE_REPORT } from './example-report.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const page = reportPage({
  report: EXAMPLE_REPORT,
  strip: {
    of: 'fast',
    against: 'original',
    amplification: 8,
    rows: [{ frame: 7, of: bytes('a'), against: bytes('b'), difference: bytes('c') }],
  },
  videos: [
    { id: 'original', path: 'videos/original.mp4', bytes: bytes('video') },
    { id: 'fast', path: 'videos/fast.mp4', bytes: undefined },
  ],
  sideBySide: 'side-by-side.mp4',
});

test('the first heading tells the speed-up and its cost', () => {
  const heading = /<h1>(.*?)<\/h1>/.exec(page)![1]!;
  assert.match(heading, /denoises 12\.5× faster than original/);
  // The figures of the table below it: 26.9 s against 3.91 s, whatever the middle of the rounds' ratios was.
  assert.match(page, />26\.9 \(.*>3\.91 \(|>3\.91 \([\s\S]*>26\.9 \(/);
  assert.match(heading, /6\.88× faster over all stages/);
  assert.match(heading, /41\.3 dB PSNR and 0\.990 SSIM, and flicker 1\.10× as much/);
});

test('text is escaped: nothing of names and notes becomes markup', () => {
  assert.ok(!page.includes('<script>alert') && !page.includes('<b>markup') && !page.includes('<settings>'));
  assert.ok(page.includes('&quot;&gt;&lt;script&gt;alert(1)') && page.includes('a note with &lt;b&gt;'));
  assert.equal(page.match(/<script>/g)!.length, 1);
});

test('the page needs nothing outside of itself, but for the videos that are too large', () => {
  const sources = [...page.matchAll(/\ssrc="([^"]*)"/g)].map(([, source]) => source!);
  assert.deepEqual(
    sources.filter((source) => !source.startsWith('data:')),
    ['videos/fast.mp4'],
  );
  assert.ok(page.includes(`data:video/mp4;base64,${Buffer.from('video').toString('base64')}`));
  assert.ok(!/https?:\/\/|url\(|@import|<link/.test(page));
});

test('for a server that allows nothing inline, style, script and videos are files next to it', () => {
  const linked = reportPage({
    report: EXAMPLE_REPORT,
    strip: undefined,
    videos: [{ id: 'fast', path: 'videos/fast.mp4', bytes: undefined }],
    sideBySide: 'side-by-side.mp4',
    ...{ style: 'report.css', script: 'report.js' },
  });
  assert.ok(linked.includes('<link rel="stylesheet" href="report.css">'));
  assert.ok(linked.includes('<script src="report.js"></script>'));
  for (const each of [linked, page]) assert.ok(!/\sstyle=|\son\w+=/.test(each));
  assert.ok(!/<style|<script>|src="data:video/.test(linked));
});

test('tags are closed in order', () => {
  const open: string[] = [];
  const markup = page.replace(/<(style|script)>[\s\S]*?<\/\1>/g, '');
  for (const [, closing, name, own] of markup.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*?(\/?)>/g)) {
    if (own === '/' || ['meta', 'img', 'input', 'br'].includes(name!)) continue;
    if (closing === '') open.push(name!);
    else assert.equal(open.pop(), name);
  }
  assert.deepEqual(open, []);
});

test('every figure is explained, and a figure that is none is a dash', () => {
  for (const { name } of METRIC_NOTES) assert.ok(page.includes(`<dt>${name}`), name);
  // The example has no MS-SSIM of so small a face, and no background to flicker.
  const row = /<tr><th scope="row"[^>]*>fast<\/th>(<td[^>]*>41\.3<\/td>.*?)<\/tr>/.exec(page)![1]!;
  const cells = [...row.matchAll(/<td[^>]*>(.*?)<\/td>/g)].map(([, text]) => text);
  assert.deepEqual(cells, ['41.3', '0.9900', '–', '45.0', '0.0050', '1.10×', '–']);
  assert.ok(!/NaN|undefined|Infinity/.test(page.replace(/<script>[\s\S]*<\/script>/, '')));
});

test('the sweep is joined by a line through its points', () => {
  assert.match(page, /<polyline points="[\d.]+,[\d.]+ [\d.]+,[\d.]+" class="sweep"/);
  assert.deepEqual(ticks(0.3, 2.1, 4), [0.5, 1, 1.5, 2]);
  assert.deepEqual(ticks(38, 52, 5), [40, 45, 50]);
  assert.deepEqual(timeTicks(3, 40), [4, 8, 16, 32]);
  assert.deepEqual(timeTicks(9, 15), [10, 12, 14]);
  for (const time of [0.013, 0.9, 1, 31, 33, 700]) {
    for (const factor of [1.95, 2.5, 4]) {
      assert.ok(timeTicks(time, time * factor).length >= 2, `${time} × ${factor}`);
    }
  }
});

test('a comparison that was stopped says so, and one without an original has no ratios', () => {
  const [fast] = EXAMPLE_REPORT.variants.filter(({ id }) => id === 'fast');
  const stopped = reportPage({
    report: {
      ...EXAMPLE_REPORT,
      complete: false,
      variants: [fast!],
      comparisons: [],
      unfinished: [{ ...EXAMPLE_REPORT.variants[2]!, evaluationsDone: 34 }],
    },
    strip: undefined,
    videos: [],
    sideBySide: undefined,
  });
  assert.match(stopped, /Stopped before it was complete\. Unfinished: original \(34 of 100 evaluations\)/);
  assert.match(stopped, /<h1>Measured: fast .* there is no speed-up to tell\.<\/h1>/);
  assert.ok(!stopped.includes('Quality against time'));
});

test('a chart is drawn of two points or more', () => {
  const withOnly = (...ids: string[]) =>
    reportPage({
      report: { ...EXAMPLE_REPORT, variants: EXAMPLE_REPORT.variants.filter(({ id }) => ids.includes(id)) },
      strip: undefined,
      videos: [],
      sideBySide: undefined,
    });
  assert.ok(withOnly('fast', 'fast-steps-1', 'original').includes('Quality against time'));
  assert.ok(!withOnly('fast', 'original').includes('Quality against time'));
});

test('the load of the machine stands next to the times that it spoils, and nowhere on an idle one', () => {
  const withLoad = (load: number) =>
    reportPage({
      report: { ...EXAMPLE_REPORT, machine: { ...EXAMPLE_REPORT.machine, load } },
      strip: undefined,
      videos: [],
      sideBySide: undefined,
    });
  const times = /<h2>Time by stage<\/h2>[\s\S]*?<h2>/.exec(withLoad(7.5))![0];
  assert.match(times, /busy when this began: load 7\.50 on 2 cores.*measure again/);
  assert.doesNotMatch(withLoad(0.1), /busy/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countJobs, type JobReport } from '../../src/jobs/batch-events.ts';
import { renderReportHtml } from '../../src/jobs/report-html.ts';

const hostile = `<script>alert("x")<b>&'`;
const jobs: JobReport[] = [
  {
    index: 0,
    name: hostile,
    portrait: `/p/${hostile}`,
    audio: '/a.wav',
    state: 'failed',
    reused: false,
    output: `/v/${hostile}.mp4`,
    attempts: 2,
    seconds: 3,
    waitSeconds: 0,
    resumedFrames: 12,
    failures: [{ attempt: 1, kind: 'permanent', code: 'FACE', message: hostile }],
  },
  {
    index: 1,
    name: 'b',
    portrait: '/b.jpg',
    audio: '/a.wav',
    state: 'done',
    reused: true,
    failures: [],
    output: '/v/ein Film #1.mp4',
    attempts: 0,
    seconds: 0,
    waitSeconds: 0,
    resumedFrames: 0,
    frames: 50,
    fps: 25,
    duration: 2,
    width: 64,
    height: 48,
  },
];
const render = (list: readonly JobReport[]): string =>
  renderReportHtml(
    {
      formatVersion: 1,
      manifest: hostile,
      state: 'partial',
      startedAt: '2020-01-02T03:04:05.678Z',
      seconds: 3725,
      counts: countJobs(list),
      jobs: list,
    },
    new Map([[1, Uint8Array.of(1, 2, 3)]]),
    '/v/report',
  );
const html = render(jobs);

test('text stays text, wherever it comes from', () => {
  assert.ok(!html.includes('<script'));
  assert.equal(html.split('&lt;script&gt;').length - 1, 6); // title, head, name, two files, error
});

test('the page says what became of each job and needs nothing else', () => {
  assert.match(html, /1 of 2 videos are missing.*2020-01-02 03:04:05 UTC, took 1 h 02 min/);
  assert.match(html, /Attempt 1: .*FACE/);
  assert.match(html, /12 frames from checkpoints/);
  assert.match(html, /<a href="\.\.\/ein%20Film%20%231\.mp4">b<\/a>/);
  assert.match(html, /src="data:image\/jpeg;base64,AQID"/);
  assert.ok(!/(?:src|href)="https?:/.test(html));
});

test('jobs that a batch did not come to are not called missing: their videos may be there', () => {
  const page = render([jobs[0]!, { ...jobs[1]!, state: 'cancelled', reused: false }]);
  assert.match(
    page,
    /ended with its first failure, .* before 1 of 2 jobs were done; .* kept its checkpoints: run it again/,
  );
  assert.doesNotMatch(page, /missing/);
});

/** The report as one HTML file that needs nothing else: no network, no other files. */

import { dataUrl, escapeHtml, tableMarkup } from '../../html/markup.ts';
import { renderPage } from '../../html/page.ts';
import { METRIC_NOTES } from '../metric-notes.ts';
import { decimals, figures, gigaFlops, percent, spreadText, times } from '../number-format.ts';
import type { CompareReport, Comparison, VariantReport } from '../report.ts';
import { findComparison, summarise } from '../summary.ts';
import { ORIGINAL } from '../variants.ts';
import { qualityChart } from './quality-chart.ts';
import { stageBars } from './stage-bars.ts';
import { SCRIPT, STYLE } from './style.ts';

/** A frame of two variants and their difference, as JPEG files. */
interface FrameRow {
  /** Counted from 0. */
  readonly frame: number;
  readonly against: Uint8Array;
  readonly of: Uint8Array;
  readonly difference: Uint8Array;
}

/** Frames of the two variants side by side. */
export interface FrameStrip {
  readonly of: string;
  readonly against: string;
  /** By which differences are multiplied before they are drawn around grey. */
  readonly amplification: number;
  readonly rows: readonly FrameRow[];
}

/** A variant's video: in the page, or, where it is too large for that, next to it. */
export interface PageVideo {
  readonly id: string;
  /** Of the file, relative to the page. */
  readonly path: string;
  readonly bytes: Uint8Array | undefined;
}

/** What a page shows. */
interface PageParts {
  readonly report: CompareReport;
  readonly strip: FrameStrip | undefined;
  readonly videos: readonly PageVideo[];
  /** Video with the variants side by side, relative to the page. */
  readonly sideBySide: string | undefined;
  /** Files with the page's style and script, relative to it. @defaultValue they are in the page */
  readonly style?: string;
  readonly script?: string;
}

/** The page's HTML. */
export function reportPage(parts: PageParts): string {
  const { report, style, script } = parts;
  const sections = [
    head(report),
    timeSection(report),
    videoSection(parts),
    stripSection(parts.strip),
    qualitySection(report),
    chartSection(report),
    workSection(report),
    notesSection(),
    machineSection(report),
  ];
  return renderPage({
    title: `lcm-portrait: comparison of ${report.clip.bundle}`,
    style: STYLE,
    body: sections.filter((section) => section !== '').join('\n'),
    script: SCRIPT,
    files: style === undefined || script === undefined ? undefined : { style, script },
  });
}

function head(report: CompareReport): string {
  const { clip, machine, repeats } = report;
  const stopped = report.complete
    ? ''
    : `<p class="note">Stopped before it was complete. ${
        report.unfinished.length === 0
          ? 'Every variant has at least one repeat.'
          : `Unfinished: ${report.unfinished
              .map(
                ({ id, evaluationsDone, denoiserEvaluations }) =>
                  `${escapeHtml(id)} (${evaluationsDone} of ${denoiserEvaluations} evaluations)`,
              )
              .join(', ')}.`
      }</p>`;
  return (
    `<h1>${escapeHtml(summarise(report))}</h1>` +
    `<p class="faint">${clip.frames} frames at ${figures(clip.fps)} fps, ${clip.width}×${clip.height}, bundle ${escapeHtml(clip.bundle)}, ` +
    `seed ${clip.seed}, on ${escapeHtml(machine.device)}; ${escapeHtml(machine.processor)}, ${machine.cores} cores; ` +
    `${repeats} repeat${repeats === 1 ? '' : 's'}; ${escapeHtml(report.created.slice(0, 10))}.</p>` +
    stopped +
    report.notes.map((note) => `<p class="note">${escapeHtml(note)}</p>`).join('')
  );
}

/** Load above which others take a part of the cores that shows in times. */
const BUSY_SHARE = 0.25;

/** Whether others worked on the machine while it was measured, in words; empty where they did not. */
function describeLoad({ load, cores }: CompareReport['machine']): string {
  if (load <= BUSY_SHARE * cores) return '';
  return (
    `<p class="note">The machine was busy when this began: load ${figures(load)} on ${cores} cores. Times are longer than on an idle ` +
    'machine, and ratios less certain; measure again when it has nothing else to do.</p>'
  );
}

function timeSection({ variants, machine }: CompareReport): string {
  if (variants.length === 0) return '';
  const hasJob = variants.some(({ wholeJob }) => wholeJob !== undefined);
  const table = tableMarkup(
    ['', 'evaluations', 'one run, s', 'denoise, s', 'all stages, s', ...(hasJob ? ['whole job, s'] : [])],
    variants.map(({ id, denoiserEvaluations, run, times: seconds, wholeJob }) => [
      escapeHtml(id),
      String(denoiserEvaluations),
      spreadText({ ...run, count: Math.min(run.count, 1) }),
      spreadText(seconds.denoise),
      spreadText(seconds.total),
      ...(hasJob ? [wholeJob === undefined ? '–' : spreadText(wholeJob)] : []),
    ]),
  );
  return `<h2>Time by stage</h2><div class="card">${stageBars(variants)}${table}</div>
${describeLoad(machine)}
<p class="faint">One stage after another, for the whole clip; <em>prepare</em> is the same for all. ${
    hasJob
      ? 'The whole job overlaps its stages, from nothing loaded to the finished file.'
      : 'Rendering a clip overlaps decoding and encoding with denoising; <code>--whole-job</code> measures that, too.'
  }</p>`;
}

function videoSection({ report, videos, sideBySide }: PageParts): string {
  if (videos.length === 0) return '';
  const titles = new Map(report.variants.map(({ id, title }) => [id, title]));
  const figuresOfVideos = videos.map(({ id, path, bytes }) => {
    const source = bytes === undefined ? escapeHtml(path) : dataUrl('video/mp4', bytes);
    return (
      `<figure><video src="${source}" playsinline preload="auto" loop></video><figcaption><strong>${escapeHtml(id)}</strong> ` +
      `<span class="faint">${escapeHtml(titles.get(id) ?? '')}</span> <a href="${escapeHtml(path)}">file</a></figcaption></figure>`
    );
  });
  const link =
    sideBySide === undefined
      ? ''
      : `<p class="faint">In one file: <a href="${escapeHtml(sideBySide)}">${escapeHtml(sideBySide)}</a></p>`;
  return (
    `<h2>The videos</h2><div class="controls"><button id="play" type="button">Play all</button>` +
    `<input id="seek" type="range" min="0" max="1" step="any" value="0" aria-label="Position"></div>` +
    `<div class="videos">${figuresOfVideos.join('')}</div>${link}`
  );
}

function stripSection(strip: FrameStrip | undefined): string {
  if (strip === undefined || strip.rows.length === 0) return '';
  const image = (bytes: Uint8Array, alt: string): string =>
    `<img src="${dataUrl('image/jpeg', bytes)}" alt="${escapeHtml(alt)}">`;
  const rows = strip.rows.map(
    ({ frame, of, against, difference }) =>
      `<div class="row"><div class="head">frame ${frame}</div>${image(against, `${strip.against}, frame ${frame}`)}` +
      `${image(of, `${strip.of}, frame ${frame}`)}${image(difference, `difference at frame ${frame}`)}</div>`,
  );
  return (
    `<h2>Frame by frame</h2><div class="frames"><div class="row"><div></div><div class="head">${escapeHtml(strip.against)}</div>` +
    `<div class="head">${escapeHtml(strip.of)}</div><div class="head">difference × ${strip.amplification}</div></div>${rows.join('')}</div>` +
    `<p class="faint">The face's box. Grey means no difference; the frames are those that differ most, and some between.</p>`
  );
}

function cell(comparison: Comparison | undefined, pick: (comparison: Comparison) => string): string {
  return comparison === undefined ? '–' : pick(comparison);
}

function qualitySection(report: CompareReport): string {
  const { variants } = report;
  if (variants.length === 0) return '';
  const against = (id: string): Comparison | undefined => findComparison(report, id, ORIGINAL);
  const pictures = report.comparisons.some((comparison) => comparison.against === ORIGINAL)
    ? tableMarkup(
        [
          'against original',
          'PSNR, dB <small>face</small>',
          'SSIM <small>face</small>',
          'MS-SSIM <small>face</small>',
          'PSNR, dB',
          'landmarks',
          'flicker ratio <small>face</small>',
          '<small>outside</small>',
        ],
        variants
          .filter(({ id }) => against(id) !== undefined)
          .map(({ id }) => [
            escapeHtml(id),
            cell(against(id), ({ face }) => decimals(face.psnr, 1)),
            cell(against(id), ({ face }) => decimals(face.ssim, 4)),
            cell(against(id), ({ face }) => decimals(face.msSsim, 4)),
            cell(against(id), ({ whole }) => decimals(whole.psnr, 1)),
            cell(against(id), ({ landmarkDistance }) => decimals(landmarkDistance, 4)),
            cell(against(id), ({ flickerRatio }) => times(flickerRatio.inside)),
            cell(against(id), ({ flickerRatio }) => times(flickerRatio.outside)),
          ]),
      )
    : '';
  const hasIdentity = variants.some(({ identity }) => identity !== undefined);
  const own = tableMarkup(
    [
      'by itself',
      'mouth r',
      'lag',
      'amplitude',
      'flicker <small>face</small>',
      'landmarks <small>from driving</small>',
      'no face',
      ...(hasIdentity ? ['identity'] : []),
    ],
    variants.map(({ id, mouth, flicker, drivingLandmarkDistance, missingFaces, identity }) => [
      escapeHtml(id),
      decimals(mouth.correlation, 2),
      decimals(mouth.lag, 0),
      decimals(mouth.amplitude, 2),
      decimals(flicker.inside, 2),
      decimals(drivingLandmarkDistance, 3),
      String(missingFaces),
      ...(hasIdentity ? [decimals(identity, 3)] : []),
    ]),
  );
  return `<h2>Quality</h2><div class="card">${pictures}${own}</div>`;
}

function chartSection(report: CompareReport): string {
  const points = report.variants.flatMap((variant) => {
    const comparison = findComparison(report, variant.id, ORIGINAL);
    if (comparison === undefined || variant.form === 'published') return [];
    return [
      {
        label: variant.id,
        time: variant.times.total.median,
        quality: comparison.face.psnr,
        swept: variant.swept,
      },
    ];
  });
  // One point shows no relation.
  if (points.length < 2) return '';
  return `<h2>Quality against time</h2><div class="card">${qualityChart(points, 'PSNR of the face against original, dB')}</div>`;
}

function workSection({ variants, limit }: CompareReport): string {
  if (variants.length === 0) return '';
  const row = ({ id, work, denoiserFlops, limitShare }: VariantReport): string[] => [
    escapeHtml(id),
    gigaFlops(work.denoise),
    gigaFlops(work.pose),
    gigaFlops(work.decode),
    gigaFlops(work.reference),
    gigaFlops(denoiserFlops, '/s'),
    percent(limitShare),
  ];
  return `<h2>Work</h2><div class="card">${tableMarkup(
    ['', 'denoise', 'pose', 'decode', 'reference', 'while denoising', 'of the limit'],
    variants.map(row),
  )}</div><p class="faint">Limit of this machine: ${gigaFlops(limit.flops, '/s')}, by products of matrices of ${limit.sizes
    .map(({ size, flops }) => `${size}² (${gigaFlops(flops, '/s')})`)
    .join(', ')}.</p>`;
}

function notesSection(): string {
  return `<h2>What the figures mean, and when not to trust them</h2><dl>${METRIC_NOTES.map(
    ({ name, meaning, caution }) =>
      `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(meaning)}</dd><dd class="faint">${escapeHtml(caution)}</dd>`,
  ).join('')}</dl>`;
}

function machineSection({ machine, clip }: CompareReport): string {
  const { versions } = machine;
  const rows: readonly (readonly [string, string])[] = [
    ['processor', `${machine.processor}, ${machine.cores} cores`],
    ['memory', `${figures(machine.memoryBytes / 1e9)} GB`],
    ['system', machine.system],
    ['load before', figures(machine.load)],
    ['device', `${machine.device}${machine.threads === null ? '' : `, ${machine.threads} threads`}`],
    [
      'versions',
      `lcm-portrait ${versions.program}, Node.js ${versions.node}, onnxruntime-node ${versions.onnxruntime}, ffmpeg ${versions.ffmpeg}`,
    ],
    ['portrait', clip.portrait],
    ['speech', clip.audio],
    ['windows', `${clip.windows} of ${clip.windowFrames} frames`],
  ];
  return `<h2>Machine and material</h2><div class="scroll"><table class="facts">${rows
    .map(([name, value]) => `<tr><th>${name}</th><td>${escapeHtml(value)}</td></tr>`)
    .join('')}</table></div>`;
}

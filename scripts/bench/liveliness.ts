/**
 * How lively the faces of videos are, as the project's own landmarks have it: motion of head, brows and lids. Films and
 * rendered clips are measured alike.
 *
 *   node --import=tsx scripts/bench/liveliness.ts VIDEO…
 */
import { FaceFinder } from '../../src/face/face-finder.ts';
import { fitFaceGeometry } from '../../src/face/geometry.ts';
import { matrixToPose } from '../../src/face/rotation.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { measureFace } from '../../src/motion/face-measures.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { markdownTable } from '../lib/markdown-table.ts';

const FPS = 25;
/** Upper ends of the bands in Hz. */
const BANDS = [1, 3];

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** Mean change, in units a second. */
function speed(values: readonly number[]): number {
  const changes = values.slice(1).map((value, i) => Math.abs(value - values[i]!));
  return (FPS * changes.reduce((sum, change) => sum + change, 0)) / changes.length;
}

/** Shares of the power under 1 Hz, from 1 to 3 Hz and above, of a curve under a Hann window. */
function bandShares(values: readonly number[]): number[] {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const powers = [0, 0, 0];
  for (let k = 1; k < n / 2; k++) {
    let [re, im] = [0, 0];
    values.forEach((value, t) => {
      const windowed = (value - mean) * (0.5 - 0.5 * Math.cos((2 * Math.PI * t) / n));
      re += windowed * Math.cos((2 * Math.PI * k * t) / n);
      im += windowed * Math.sin((2 * Math.PI * k * t) / n);
    });
    const band = BANDS.findIndex((end) => (k * FPS) / n <= end);
    powers[band < 0 ? BANDS.length : band]! += re ** 2 + im ** 2;
  }
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

const videos = process.argv.slice(2);
if (videos.length === 0) {
  console.error('usage: liveliness.ts VIDEO…');
  process.exit(2);
}
const ffmpeg = await locateFfmpeg({ env: process.env });
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const rows: string[][] = [];
try {
  for (const video of videos) {
    const angles: number[][] = [[], [], []];
    const brows: number[] = [];
    const apertures: number[] = [];
    for await (const frame of readFrames(video, { ffmpeg, fps: FPS })) {
      const face = (await finder.findPortrait(frame))[0];
      if (face === undefined) continue;
      const { mesh, transform } = fitFaceGeometry(face.landmarks, frame.width, frame.height);
      const pose = matrixToPose(transform);
      angles.forEach((curve, axis) => {
        curve.push(pose[axis]!);
      });
      const measures = measureFace(mesh);
      brows.push((10 * (measures.brows[0] + measures.brows[1])) / 2);
      apertures.push(
        (measures.lids[0] / measures.eyeWidths[0] + measures.lids[1] / measures.eyeWidths[1]) / 2,
      );
    }
    if (brows.length < 2) throw new Error(`${video}: a face was found in ${brows.length} frames`);
    const open = apertures.toSorted((a, b) => a - b)[Math.floor(apertures.length / 2)]!;
    rows.push([
      video.split('/').at(-1)!,
      String(brows.length),
      angles.map((curve) => deviation(curve).toFixed(1)).join(', '),
      angles.map((curve) => speed(curve).toFixed(1)).join(', '),
      bandShares(angles[0]!)
        .map((share) => share.toFixed(2))
        .join(' '),
      deviation(brows).toFixed(1),
      `${open.toFixed(2)}, ${Math.min(...apertures).toFixed(2)}`,
    ]);
  }
} finally {
  await engine.dispose();
}
const head = ['video', 'frames', 'head, SD (°)', 'head, speed (°/s)', 'pitch under 1, to 3, above 3 Hz'];
console.log(markdownTable([...head, 'brows, SD (mm)', 'eyes, median and least'], rows));

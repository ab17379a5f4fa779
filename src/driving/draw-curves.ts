/** Draws what is in a recording as curves over time. */
import type { RgbImage } from '../image/rgb-image.ts';
import { measureFace } from '../motion/face-measures.ts';
import { MESH_VALUES, POSE_VALUES } from '../motion/motion.ts';
import type { RecordedMotion } from '../motion/recorded-motion.ts';
import { posesFromRest } from './relative-pose.ts';

/** A row of the picture: curves that share an axis. */
interface CurveRow {
  readonly title: string;
  readonly curves: readonly { readonly name: string; readonly values: Float32Array }[];
}

type Colour = readonly [number, number, number];
const COLOURS: readonly Colour[] = [
  [86, 156, 255],
  [255, 138, 76],
  [110, 210, 130],
];
const BACKGROUND = 24;
const GRID = 52;

/** What a recording does, by rows: turns and moves of the head, then lips, lids and brows where there is a face. */
export function curvesOf(recording: RecordedMotion): CurveRow[] {
  const { frames, meshes } = recording;
  const poses = posesFromRest(recording);
  const axis = (index: number): Float32Array =>
    Float32Array.from({ length: frames }, (_, frame) => poses[frame * POSE_VALUES + index]!);
  const rows: CurveRow[] = [
    {
      title: 'head turns in degrees: up and down, to the side, tilt',
      curves: ['x', 'y', 'z'].map((name, i) => ({ name, values: axis(i) })),
    },
    {
      title: 'head moves in cm: to the side, up, towards the camera',
      curves: ['x', 'y', 'z'].map((name, i) => ({ name, values: axis(3 + i) })),
    },
  ];
  if (meshes === null) return rows;
  const mesh = new Float32Array(MESH_VALUES);
  const measures = Array.from({ length: frames }, (_, frame) => {
    meshes.read(frame, mesh);
    return measureFace(mesh);
  });
  const series = (pick: (measure: (typeof measures)[number]) => number): Float32Array =>
    Float32Array.from(measures, pick);
  return [
    ...rows,
    { title: 'opening of the lips in cm', curves: [{ name: 'lips', values: series(({ lips }) => lips) }] },
    {
      title: 'opening of the lids in cm: right, left',
      curves: [
        { name: 'right', values: series(({ lids }) => lids[0]) },
        { name: 'left', values: series(({ lids }) => lids[1]) },
      ],
    },
    {
      title: 'height of the brows over the eyes in cm: right, left',
      curves: [
        { name: 'right', values: series(({ brows }) => brows[0]) },
        { name: 'left', values: series(({ brows }) => brows[1]) },
      ],
    },
  ];
}

/** One row of curves, with lines at whole seconds and at 0. */
export function drawCurves({ curves }: CurveRow, fps: number, width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3).fill(BACKGROUND);
  const plot = (x: number, y: number, [red, green, blue]: Colour): void => {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    data.set([red, green, blue], (y * width + x) * 3);
  };
  const frames = curves[0]!.values.length;
  const all = curves.flatMap(({ values }) => [...values]);
  const [low, high] = [Math.min(0, ...all.map((value) => value)), Math.max(0, ...all)];
  const span = Math.max(high - low, 1e-3);
  const toX = (frame: number): number => Math.round((frame / Math.max(1, frames - 1)) * (width - 1));
  const toY = (value: number): number => Math.round(((high - value) / span) * (height - 9)) + 4;
  const grey: Colour = [GRID, GRID, GRID];
  for (let second = 0; second * fps < frames; second++) {
    for (let y = 0; y < height; y++) plot(toX(second * fps), y, grey);
  }
  for (let x = 0; x < width; x++) plot(x, toY(0), grey);
  curves.forEach(({ values }, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    for (let frame = 0; frame < frames; frame++) {
      const next = Math.min(frame + 1, frames - 1);
      const [x0, y0, x1, y1] = [toX(frame), toY(values[frame]!), toX(next), toY(values[next]!)];
      const steps = Math.max(1, Math.abs(x1 - x0), Math.abs(y1 - y0));
      for (let i = 0; i <= steps; i++) {
        const x = Math.round(x0 + ((x1 - x0) * i) / steps);
        const y = Math.round(y0 + ((y1 - y0) * i) / steps);
        plot(x, y, colour);
        plot(x, y + 1, colour);
      }
    }
  });
  return { data, width, height };
}

/**
 * Prepares training windows for the denoiser: pictures are aligned, warped and drawn by the same code that renders.
 *
 * Usage: node --import=tsx scripts/train/prepare.ts <data folder> <expression.json> <out folder> <talking|portraits> <train|val|test>
 *
 * Output: `<kind>-<split>.u8`, one record a window, and `<kind>-<split>.json` with its layout. A record is the reference
 * picture [3, S, S], then FRAMES times: conditions [7, S, S] (pose drawing, warped portrait, reliability), target
 * [3, S, S], loss weights [S/8, S/8]. All bytes.
 *
 * A talking clip gives real frames: one of them is the portrait, others the targets; of two stretches the one with the
 * wider open mouth is taken. A still gives the target itself; its portrait is the still moved to another pose and
 * expression, with the mouth closed where the still shows teeth, so that the denoiser learns to put back what a warp
 * cannot show. Its mouth is also opened as in speech, with the inside that the warp draws: where nothing better is known
 * than what the conditions show already, the denoiser learns to leave it.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';
import { squareCrop } from '../../src/face/crop.ts';
import { FaceFinder, type FaceNetwork } from '../../src/face/face-finder.ts';
import { INNER_LIPS } from '../../src/face/face-rings.ts';
import { fitFaceGeometry, projectMesh } from '../../src/face/geometry.ts';
import { drawPoseImage, resizePoseImage } from '../../src/face/pose-image.ts';
import { multiplyMatrices, poseToMatrix } from '../../src/face/rotation.ts';
import { PortraitWarp } from '../../src/face/warp.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { LEFT_EYE, OUTER_LIPS, RIGHT_EYE } from '../lib/feature-rings.ts';
import { Lifting, wideningOf } from '../lib/large-motion.ts';

const SIZE = 256;
/** Portraits are warped from somewhat more pixels than they are shown at, as when rendering. */
const SOURCE_SIZE = 384;
const STILL_SIZE = 512;
const FRAMES = 12;
/** Share of stills whose mouth opens as in speech; the others show no more than they do themselves. */
const OPENED_SHARE = 0.7;
/** Shares of stills that move further than calm speech does, each by a draw of its own. */
const WIDE_MOUTH_SHARE = 0.35;
const WIDER_SHARE = 0.5;
const BLINK_SHARE = 0.45;
const BROWS_SHARE = 0.4;
/** How far they go: the opening of the mouth, change of its width and lift of the brows in cm. */
const MOST_OPENING = 2;
const MOST_WIDENING = 0.6;
const BROWS = [-0.15, 0.45] as const;
/** Sway of the head: turns in degrees and shifts in cm to either side. */
const HEAD_AMPLITUDE = [9, 12, 7, 0.4, 0.4, 0.7] as const;
const LATENT = SIZE / 8;
const POINTS = 468;

interface Expression {
  readonly basis: Float32Array;
  readonly blink: Float32Array;
  readonly coefficients: Float32Array;
  readonly lengths: readonly number[];
  readonly components: number;
}

const [dataFolder, expressionPath, outFolder, kind, split] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const faceMesh = JSON.parse(fs.readFileSync('assets/face/face-mesh.json', 'utf8')) as { triangles: number[] };

function readExpression(): Expression {
  const json = JSON.parse(fs.readFileSync(expressionPath, 'utf8')) as Record<string, number[]>;
  return {
    basis: Float32Array.from(json.basis!),
    blink: Float32Array.from(json.blink!),
    coefficients: Float32Array.from(json.coefficients!),
    lengths: json.lengths!,
    components: json.basis!.length / (POINTS * 3),
  };
}

function readTable(file: string): Record<string, string>[] {
  const [head, ...rows] = fs.readFileSync(file, 'utf8').trim().split('\n');
  const names = head!.split('\t');
  return rows.map((row) => Object.fromEntries(row.split('\t').map((cell, i) => [names[i]!, cell])));
}

/** Square cut-out at `side` pixels, edges repeated outside the picture. */
async function cutOut(
  image: RgbImage,
  box: { x: number; y: number; side: number },
  side: number,
): Promise<RgbImage> {
  const whole = Math.round(box.side);
  const x0 = Math.round(box.x);
  const y0 = Math.round(box.y);
  const cut = new Uint8Array(whole * whole * 3);
  for (let y = 0; y < whole; y++) {
    const sy = Math.min(image.height - 1, Math.max(0, y0 + y));
    for (let x = 0; x < whole; x++) {
      const sx = Math.min(image.width - 1, Math.max(0, x0 + x));
      const from = (sy * image.width + sx) * 3;
      cut.set(image.data.subarray(from, from + 3), (y * whole + x) * 3);
    }
  }
  const data = await sharp(cut, { raw: { width: whole, height: whole, channels: 3 } })
    .resize(side, side, { kernel: 'lanczos3' })
    .raw()
    .toBuffer();
  return { data: new Uint8Array(data), width: side, height: side };
}

function planar(image: RgbImage, out: Uint8Array, offset: number): void {
  const pixels = image.width * image.height;
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) out[offset + c * pixels + i] = image.data[i * 3 + c]!;
  }
}

/** Loss weight of each latent cell: the mouth most, then eyes, then the face. In sixteenths. */
function weights(points: Float64Array, out: Uint8Array, offset: number): void {
  const box = (ring: readonly number[], margin: number): number[] => {
    const xs = ring.map((i) => points[i * 2]!);
    const ys = ring.map((i) => points[i * 2 + 1]!);
    return [
      Math.min(...xs) - margin,
      Math.min(...ys) - margin,
      Math.max(...xs) + margin,
      Math.max(...ys) + margin,
    ];
  };
  const all = Array.from({ length: POINTS }, (_, i) => i);
  const regions: [number[], number][] = [
    [box(all, 0), 32],
    [box(LEFT_EYE, 4), 64],
    [box(RIGHT_EYE, 4), 64],
    [box(OUTER_LIPS, 6), 128],
  ];
  for (let y = 0; y < LATENT; y++) {
    for (let x = 0; x < LATENT; x++) {
      let value = 16;
      for (const [[x0, y0, x1, y1], weight] of regions as [[number, number, number, number], number][]) {
        if (x * 8 + 8 > x0 && x * 8 < x1 && y * 8 + 8 > y0 && y * 8 < y1) value = weight;
      }
      out[offset + y * LATENT + x] = value;
    }
  }
}

const FRAME_BYTES = 10 * SIZE * SIZE + LATENT * LATENT;
const RECORD_BYTES = 3 * SIZE * SIZE + FRAMES * FRAME_BYTES;

function writeFrame(
  record: Uint8Array,
  frame: number,
  warp: PortraitWarp,
  points: Float64Array,
  target: RgbImage,
): void {
  const offset = 3 * SIZE * SIZE + frame * FRAME_BYTES;
  const drawing = resizePoseImage(drawPoseImage(points, { width: SIZE, height: SIZE }), SIZE, SIZE);
  planar(drawing, record, offset);
  const { image, reliability } = warp.render(points, SIZE, SIZE);
  planar(image, record, offset + 3 * SIZE * SIZE);
  record.set(reliability, offset + 6 * SIZE * SIZE);
  planar(target, record, offset + 7 * SIZE * SIZE);
  weights(points, record, offset + 10 * SIZE * SIZE);
}

async function shrink(image: RgbImage): Promise<RgbImage> {
  const data = await sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } })
    .resize(SIZE, SIZE, { kernel: 'lanczos3' })
    .raw()
    .toBuffer();
  return { data: new Uint8Array(data), width: SIZE, height: SIZE };
}

const scaled = (points: ArrayLike<number>, factor: number): Float64Array =>
  Float64Array.from(points, (v) => v * factor);
const lipGap = (points: ArrayLike<number>): number =>
  Math.hypot(points[13 * 2]! - points[14 * 2]!, points[13 * 2 + 1]! - points[14 * 2 + 1]!);

/** Of two random stretches of {@link FRAMES} frames the first frame of the one whose mouth opens wider. */
function widest(random: RandomStream, count: number, openingOf: (frame: number) => number): number {
  const starts = [0, 1].map(() => Math.floor(random.uniform() * (count - FRAMES)));
  const widths = starts.map((start) =>
    Math.max(...Array.from({ length: FRAMES }, (_, i) => openingOf(start + i))),
  );
  return widths[0]! >= widths[1]! ? starts[0]! : starts[1]!;
}

async function* talkingWindows(rows: Record<string, string>[]): AsyncGenerator<Uint8Array> {
  const ffmpeg = await locateFfmpeg({ env: process.env });
  for (const [clip, row] of rows.entries()) {
    const name = row.file!.replace('.mkv', '');
    const raw = execFileSync(
      ffmpeg.path,
      [
        '-v',
        'error',
        '-i',
        path.join(dataFolder, 'talking', row.file!),
        '-f',
        'rawvideo',
        '-pix_fmt',
        'rgb24',
        '-',
      ],
      { maxBuffer: 1 << 28 },
    );
    const count = raw.length / (SIZE * SIZE * 3);
    const landmarkFile = fs.readFileSync(path.join(outFolder, 'landmarks', `${name}.f32`));
    const landmarks = new Float32Array(landmarkFile.buffer, landmarkFile.byteOffset, landmarkFile.length / 4);
    const random = new RandomStream([clip, split === 'train' ? 0 : 1]);
    // One square for the clip, around where the face is on average, a little different for each window.
    for (let w = 0; w < 2; w++) {
      const mean = new Float64Array(POINTS * 2);
      for (let f = 0; f < count; f++)
        for (let i = 0; i < POINTS * 2; i++)
          mean[i]! += landmarks[(f * POINTS + (i >> 1)) * 3 + (i & 1)]! / count;
      const square = squareCrop(mean, SIZE, SIZE);
      const side = Math.min(SIZE, square.side * (0.92 + 0.2 * random.uniform()));
      const box = {
        x: Math.min(
          SIZE - side,
          Math.max(0, square.x + (square.side - side) / 2 + (random.uniform() - 0.5) * 16),
        ),
        y: Math.min(
          SIZE - side,
          Math.max(0, square.y + (square.side - side) / 2 + (random.uniform() - 0.5) * 16),
        ),
        side: Math.round(side),
      };
      box.x = Math.round(box.x);
      box.y = Math.round(box.y);
      const pointsOf = (f: number): Float64Array => {
        const points = new Float64Array(POINTS * 2);
        for (let i = 0; i < POINTS; i++) {
          points[i * 2] = ((landmarks[(f * POINTS + i) * 3]! - box.x) * SIZE) / box.side;
          points[i * 2 + 1] = ((landmarks[(f * POINTS + i) * 3 + 1]! - box.y) * SIZE) / box.side;
        }
        return points;
      };
      const pictureOf = (f: number, side: number): Promise<RgbImage> =>
        cutOut(
          {
            data: new Uint8Array(raw.buffer, raw.byteOffset + f * SIZE * SIZE * 3, SIZE * SIZE * 3),
            width: SIZE,
            height: SIZE,
          },
          box,
          side,
        );
      const start = widest(random, count, (f) => lipGap(pointsOf(f)));
      // Portraits mostly show closed mouths: of some random frames take the most closed one.
      let source = 0;
      let smallest = Number.POSITIVE_INFINITY;
      for (let tries = 0; tries < 6; tries++) {
        const f = Math.floor(random.uniform() * count);
        const gap = lipGap(pointsOf(f));
        if (gap < smallest) [source, smallest] = [f, gap];
      }
      const portrait = await pictureOf(source, SOURCE_SIZE);
      const warp = new PortraitWarp(
        portrait,
        scaled(pointsOf(source), SOURCE_SIZE / SIZE),
        faceMesh.triangles,
      );
      const record = new Uint8Array(RECORD_BYTES);
      planar(await shrink(portrait), record, 0);
      for (let f = 0; f < FRAMES; f++)
        writeFrame(record, f, warp, pointsOf(start + f), await pictureOf(start + f, SIZE));
      yield record;
    }
  }
}

async function* portraitWindows(rows: Record<string, string>[]): AsyncGenerator<Uint8Array> {
  const expression = readExpression();
  const { basis, blink, coefficients, lengths, components } = expression;
  const stride = POINTS * 3;
  const gapOf = (mesh: ArrayLike<number>): number => mesh[13 * 3 + 1]! - mesh[14 * 3 + 1]!;
  // The smallest change of expression that opens the mouth by 1 cm.
  const opening = new Float64Array(stride);
  let norm = 0;
  for (let k = 0; k < components; k++)
    norm += (basis[k * stride + 13 * 3 + 1]! - basis[k * stride + 14 * 3 + 1]!) ** 2;
  for (let k = 0; k < components; k++) {
    const gap = basis[k * stride + 13 * 3 + 1]! - basis[k * stride + 14 * 3 + 1]!;
    for (let i = 0; i < stride; i++) opening[i]! += (basis[k * stride + i]! * gap) / norm;
  }
  /** By how many cm the coefficients at `offset` open the mouth. */
  const openingOf = (offset: number): number => {
    let gap = 0;
    for (let k = 0; k < components; k++) gap += coefficients[offset + k]! * gapOf(basis.subarray(k * stride));
    return gap;
  };
  const starts: number[] = [];
  let total = 0;
  for (const length of lengths) {
    starts.push(total);
    total += length;
  }
  const network = async (_name: string, graph: Uint8Array): Promise<FaceNetwork> => {
    const session = await ort.InferenceSession.create(graph, { intraOpNumThreads: 1 });
    return {
      run: async (feeds) => {
        const out = await session.run(
          Object.fromEntries(
            Object.entries(feeds).map(([k, v]) => [k, new ort.Tensor('float32', v.data, [...v.dims])]),
          ),
        );
        return Object.fromEntries(
          Object.entries(out).map(([k, v]) => [k, { data: v.data as Float32Array, dims: v.dims }]),
        );
      },
    };
  };
  const finder = await FaceFinder.open(network);
  const widening = wideningOf(basis, components);
  let skipped = 0;
  for (const [person, row] of rows.entries()) {
    const random = new RandomStream([person, 77, split === 'train' ? 0 : 1]);
    const file = sharp(path.join(dataFolder, 'portraits', row.file!))
      .removeAlpha()
      .toColourspace('srgb');
    const flipped = random.uniform() < 0.5;
    const { data, info } = await (flipped ? file.flop() : file).raw().toBuffer({ resolveWithObject: true });
    const full: RgbImage = { data: new Uint8Array(data), width: info.width, height: info.height };
    const face = (await finder.findPortrait(full))[0];
    if (face === undefined || row.bw === '1' || Math.abs(Number(row.yaw)) > 28) {
      skipped += 1;
      continue;
    }
    const { mesh, transform } = fitFaceGeometry(face.landmarks, full.width, full.height);
    const facePoints = projectMesh(mesh, transform, full.width, full.height);
    const square = squareCrop(facePoints, full.width, full.height);
    const side = Math.round(square.side * (0.92 + 0.16 * random.uniform()));
    const box = {
      x: Math.round(square.x + (square.side - side) / 2),
      y: Math.round(square.y + (square.side - side) / 2),
      side,
    };
    const toCrop = (points: Float64Array, size: number): Float64Array =>
      Float64Array.from(points, (v, i) => ((v - (i % 2 === 0 ? box.x : box.y)) * size) / box.side);
    const still = await cutOut(full, box, STILL_SIZE);
    const stillWarp = new PortraitWarp(still, toCrop(facePoints, STILL_SIZE), faceMesh.triangles);
    const ownGap = Math.max(0, gapOf(mesh));
    const lifting = new Lifting(mesh);
    const lidGap = (upper: number, lower: number): number => mesh[3 * upper + 1]! - mesh[3 * lower + 1]!;
    const closing = blink[3 * 145 + 1]! - blink[3 * 159 + 1]!;
    // By how many blinks of an average face these eyes close.
    const reach = Math.min(1.6, Math.max(0.4, (lidGap(159, 145) + lidGap(386, 374)) / 2 / closing));

    const posed = (
      frame: number | null,
      strength: number,
      gapLimit: number,
      blinkAmount: number,
      pose: number[],
      { opened = 0, wider = 0, brows = 0 } = {},
    ): Float64Array => {
      const posedMesh = Float64Array.from(mesh);
      if (frame !== null) {
        for (let k = 0; k < components; k++) {
          const c = coefficients[frame * components + k]! * strength;
          for (let i = 0; i < stride; i++) posedMesh[i]! += c * basis[k * stride + i]!;
        }
      }
      for (let i = 0; i < stride; i++) {
        posedMesh[i]! += blinkAmount * reach * blink[i]! + opened * opening[i]! + wider * widening[i]!;
      }
      lifting.add(brows, posedMesh);
      const excess = gapOf(posedMesh) - gapLimit;
      // Below closed is pushed open again; above the limit there is nothing real to show.
      const change = excess > 0 ? -excess : gapOf(posedMesh) < 0 ? -gapOf(posedMesh) : 0;
      for (let i = 0; i < stride; i++) posedMesh[i]! += change * opening[i]!;
      return projectMesh(posedMesh, multiplyMatrices(transform, poseToMatrix(pose)), full.width, full.height);
    };
    const clip = Math.floor(random.uniform() * lengths.length);
    const first = starts[clip]!;
    const start = first + widest(random, lengths[clip]!, (f) => openingOf((first + f) * components));
    const limit = random.uniform() < OPENED_SHARE ? Number.POSITIVE_INFINITY : ownGap;
    const amplitude = HEAD_AMPLITUDE;
    const drawn = (share: number): number => (random.uniform() < share ? 1 : 0);
    // Each of these goes from nothing to its full size and back over part of the window.
    const wideMouth = limit > ownGap ? drawn(WIDE_MOUTH_SHARE) * MOST_OPENING * random.uniform() : 0;
    const wider = drawn(WIDER_SHARE) * MOST_WIDENING * (2 * random.uniform() - 1);
    const brows = drawn(BROWS_SHARE) * (BROWS[0] + (BROWS[1] - BROWS[0]) * random.uniform());
    const blinks = drawn(BLINK_SHARE);
    const blinkAt = FRAMES * random.uniform();
    const blinkSpan = 2.5 + 2.5 * random.uniform();
    const sourcePose = amplitude.map((a) => a * (2 * random.uniform() - 1));
    const closed = random.uniform() < 0.75 ? 0.3 * random.uniform() : random.uniform();
    const sourceFrame = Math.floor(random.uniform() * total);
    const sourcePoints = posed(
      sourceFrame,
      0.7,
      closed * ownGap,
      random.uniform() < 0.1 ? 0.5 * random.uniform() : 0,
      sourcePose,
      { brows: 0.2 * (random.uniform() - 0.5) },
    );
    const sourceCrop = toCrop(sourcePoints, SOURCE_SIZE);
    const portrait = stillWarp.render(sourceCrop, SOURCE_SIZE, SOURCE_SIZE).image;
    const warp = new PortraitWarp(portrait, sourceCrop, faceMesh.triangles);
    const record = new Uint8Array(RECORD_BYTES);
    planar(await shrink(portrait), record, 0);
    // Smooth motion through the still itself, which one frame shows untouched.
    const untouched = Math.floor(random.uniform() * FRAMES);
    const rates = amplitude.map((a) => ((2 * random.uniform() - 1) * a * 0.5) / FRAMES);
    const bend = amplitude.map((a) => (2 * random.uniform() - 1) * a * 0.15);
    for (let f = 0; f < FRAMES; f++) {
      const distance = f - untouched;
      const fade = Math.min(1, Math.abs(distance) / 3);
      const pose = rates.map((rate, i) => rate * distance + bend[i]! * Math.sin(distance * 0.6));
      const lids = blinks * Math.max(0, 1.2 - ((f - blinkAt) / blinkSpan) ** 2 * 1.2) * fade;
      const large = { opened: wideMouth * fade, wider: wider * fade, brows: brows * fade };
      const points = toCrop(posed(start + f, fade, limit, Math.min(1, lids), pose, large), SIZE);
      const target = distance === 0 ? await shrink(still) : stillWarp.render(points, SIZE, SIZE).image;
      writeFrame(record, f, warp, distance === 0 ? toCrop(facePoints, SIZE) : points, target);
    }
    yield record;
    if (person % 100 === 0) process.stderr.write(`${person}/${rows.length} skipped ${skipped}\n`);
  }
}

const every = Number(process.argv[7] ?? 1);
const rows = readTable(path.join(dataFolder, kind, 'index.tsv'))
  .filter((row) => row.split === split)
  .filter((_, i) => i % every === 0);
const output = fs.openSync(path.join(outFolder, `${kind}-${split}.u8`), 'w');
let records = 0;
for await (const record of kind === 'talking' ? talkingWindows(rows) : portraitWindows(rows)) {
  fs.writeSync(output, record);
  records += 1;
}
fs.closeSync(output);
const layout = {
  records,
  frames: FRAMES,
  size: SIZE,
  recordBytes: RECORD_BYTES,
  frameBytes: FRAME_BYTES,
  innerLips: INNER_LIPS,
};
fs.writeFileSync(path.join(outFolder, `${kind}-${split}.json`), JSON.stringify(layout));
process.stderr.write(`${kind} ${split}: ${records} windows\n`);

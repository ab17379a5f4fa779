/**
 * Measures how well films drive portraits: a film its own frame at rest, and other people's portraits. What is measured is the
 * moved portrait before the denoiser or, with `--whole`, finished clips; landmarks are measured again in the pictures.
 *
 *     node --import=tsx scripts/bench/drive.ts FILMS FOLDER [PORTRAIT…] [--whole] [--seconds 2] [--from 0] [--others]
 *
 * FILMS: films of people, a folder; FOLDER: for contact sheets, clips and drive.md. `--seconds` takes so much of each film, `--from`
 * on. `--others` leaves out films that drive themselves.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { RecordedSource } from '../../src/driving/recorded-source.ts';
import { posesFromRest } from '../../src/driving/relative-pose.ts';
import { FaceEmbedder } from '../../src/face/face-embedding.ts';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { choosePortraitFace } from '../../src/face/portrait-face.ts';
import { cropSquare } from '../../src/image/crop.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { loadImage } from '../../src/image/load-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { psnr } from '../../src/metrics/psnr.ts';
import { correlation, deviation, mean } from '../../src/metrics/series.ts';
import { structuralSimilarity } from '../../src/metrics/ssim.ts';
import { type FaceMeasures, measureFace } from '../../src/motion/face-measures.ts';
import { MeshSequence } from '../../src/motion/mesh-sequence.ts';
import { MESH_VALUES, POSE_VALUES } from '../../src/motion/motion.ts';
import { writeMotionFile } from '../../src/motion/motion-file.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { AnimatedPortrait } from '../../src/scene/portrait.ts';
import { FaceTracker } from '../../src/tracking/face-tracker.ts';
import { type FaceTrack, trackFilm } from '../../src/tracking/track-film.ts';

const SIZE = 256;
const SCALES = { expressionScale: 1, mouthScale: 1, blinkScale: 1, headPoseScale: 1 };
/** Lids of a film that are shut so far are a blink; those of the result must be as far. */
const BLINK = 0.5;
/** Lips that touch have landmarks this far apart at most, in cm; in the result, measured once more, at most so far. */
const CLOSED = 0.06;
const CLOSED_RESULT = 0.12;
const TILES = 12;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    whole: { type: 'boolean', default: false },
    others: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    from: { type: 'string', default: '0' },
  },
});
const [films, folder, ...portraits] = positionals;
if (films === undefined || folder === undefined) throw new Error('expected films and a folder');
mkdirSync(folder, { recursive: true });
const ffmpeg = await locateFfmpeg({ env: process.env });
const engine = await Engine.open({ device: 'cpu' });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
/** For the identity; without its package that column stays empty. */
const embedder = await FaceEmbedder.open(engine);
const EMBED_EVERY = 5;
const studio = values.whole ? new Studio({ device: 'cpu' }) : undefined;

interface Row {
  readonly name: string;
  readonly opening: number;
  readonly amplitude: number;
  /** The same of the mesh that moves the portrait. */
  readonly drivenAmplitude: number;
  readonly drivenClosures: string;
  readonly drivenBlinks: string;
  readonly rotation: number;
  readonly blinks: string;
  readonly closures: string;
  readonly psnr: number;
  readonly ssim: number;
  /** Likeness of the moved portrait to the still one: mean cosine of their embeddings. */
  readonly identity: number;
}

function measuresOf({ meshes, frames }: FaceTrack): FaceMeasures[] {
  const mesh = new Float32Array(MESH_VALUES);
  return Array.from({ length: frames }, (_, frame) => {
    meshes!.read(frame, mesh);
    return measureFace(mesh);
  });
}

/** Stretches of frames in which both lids are shut by the share {@link BLINK} of their opening at least. */
function blinksOf(measures: readonly FaceMeasures[], open: number): [number, number][] {
  const found: [number, number][] = [];
  measures.forEach(({ lids }, frame) => {
    if ((lids[0] + lids[1]) / 2 > (1 - BLINK) * open) return;
    const last = found.at(-1);
    if (last !== undefined && last[1] >= frame - 2) last[1] = frame;
    else found.push([frame, frame]);
  });
  return found;
}

/** The part of a film that is asked for, with the rest of the whole film. */
function partOf(track: FaceTrack): { readonly track: FaceTrack; readonly first: number } {
  if (values.seconds === undefined) return { track, first: 0 };
  const first = Math.round(Number(values.from) * track.fps);
  const frames = Math.min(track.frames - first, Math.round(Number(values.seconds) * track.fps));
  const meshes = new MeshSequence();
  for (let frame = first; frame < first + frames; frame++) meshes.appendUnits(track.meshes!.units(frame));
  const poses = track.poses.slice(first * POSE_VALUES, (first + frames) * POSE_VALUES);
  return { track: { ...track, frames, meshes, poses, rest: { ...track.rest, frame: 0 } }, first };
}

/** The frames of a finished clip of the square around the face. */
async function* clipFrames(name: string, image: RgbImage, track: FaceTrack): AsyncGenerator<RgbImage> {
  const still = path.join(folder!, `${name}.png`);
  const output = path.join(folder!, `${name}.mp4`);
  const motion = path.join(folder!, `${name}.motion`);
  await saveImage(still, image);
  await writeMotionFile(motion, track);
  const clip = await studio!.prepare({
    portrait: still,
    motion,
    output,
    fps: track.fps,
    framing: 'crop',
    overwrite: true,
    crf: 10,
  });
  try {
    await studio!.render(clip);
  } finally {
    await clip.dispose();
  }
  for await (const frame of readFrames(output, { ffmpeg })) yield { ...frame, data: frame.data.slice() };
}

async function drive(
  name: string,
  track: FaceTrack,
  frames: readonly RgbImage[],
  image: RgbImage,
  self: boolean,
): Promise<Row> {
  const face = choosePortraitFace(image, await finder.findPortrait(image), { path: name });
  const portrait = await AnimatedPortrait.create({ image, face, resolution: SIZE, framing: 'crop' });
  const source = new RecordedSource({
    recording: track,
    mode: 'relative',
    fps: track.fps,
    mesh: face.mesh,
    transform: face.transform,
    scales: SCALES,
  });
  const tracker = new FaceTracker(finder);
  const seen: (FaceMeasures & { pose: Float64Array })[] = [];
  const [noise, likeness]: [number[], number[]] = [[], []];
  const tiles: RgbImage[] = [];
  const { square } = portrait;
  const driven: FaceMeasures[] = [];
  const identities: number[] = [];
  const still = await embedder?.embed(image, face.landmarks);
  const own = measureFace(face.mesh);
  const crop = cropSquare(image, { x: square.x, y: square.y, size: square.side }, SIZE);
  // As it is seen by what looks at the result.
  const ownSeen = measureFace((await new FaceTracker(finder).next(crop))?.mesh ?? face.mesh);
  const clip = values.whole ? clipFrames(name, image, track) : undefined;
  for (let frame = 0; frame < track.frames; frame++) {
    const motion = await source.at(frame);
    driven.push(measureFace(face.mesh.map((value, i) => value + motion.offsets[i]!)));
    const picture: RgbImage = clip === undefined ? portrait.renderBase(motion) : (await clip.next()).value;
    if (picture === undefined) throw new Error(`${name}: the clip ends at frame ${frame} of ${track.frames}`);
    const found = await tracker.next(picture);
    if (found === undefined) throw new Error(`${name}: no face in frame ${frame} of the result`);
    seen.push({ ...measureFace(found.mesh), pose: found.pose });
    if (still !== undefined && frame % EMBED_EVERY === 0) {
      identities.push(cosine(still, await embedder!.embed(picture, found.landmarks)));
    }
    if (self) {
      const truth = cropSquare(frames[frame]!, { x: square.x, y: square.y, size: square.side }, SIZE);
      noise.push(psnr(picture, truth));
      likeness.push(structuralSimilarity(picture, truth).ssim);
    }
    if (frame % Math.ceil(track.frames / TILES) === 0) tiles.push(picture);
  }
  const columns = Math.ceil(tiles.length / 2);
  const sheet = new Uint8Array(columns * 2 * SIZE * SIZE * 3);
  tiles.forEach(({ data }, tile) => {
    for (let y = 0; y < SIZE; y++) {
      const to = ((Math.floor(tile / columns) * SIZE + y) * columns + (tile % columns)) * SIZE * 3;
      sheet.set(data.subarray(y * SIZE * 3, (y + 1) * SIZE * 3), to);
    }
  });
  await saveImage(path.join(folder!, `${name}.jpg`), {
    data: sheet,
    width: columns * SIZE,
    height: 2 * SIZE,
  });

  await clip?.return(undefined);
  const filmed = measuresOf(track);
  const lips = { film: filmed.map((m) => m.lips), result: seen.map((m) => m.lips) };
  const relative = posesFromRest(track);
  const axes = [0, 1, 2].map((axis) => {
    const wanted = filmed.map((_, i) => relative[i * POSE_VALUES + axis]!);
    const got = seen.map(({ pose }) => pose[axis]!);
    const shift = mean(got) - mean(wanted);
    return mean(got.map((value, i) => (value - wanted[i]! - shift) ** 2));
  });
  const rest = measureFace(track.rest.mesh!);
  const blinks = blinksOf(filmed, (rest.lids[0] + rest.lids[1]) / 2);
  const kept = blinks.filter(([from, to]) => {
    const least = Math.min(
      ...seen.slice(Math.max(0, from - 1), to + 2).map(({ lids }) => (lids[0] + lids[1]) / 2),
    );
    return least <= ((1 - BLINK) * (ownSeen.lids[0] + ownSeen.lids[1])) / 2;
  });
  const blinksDriven = blinks.filter(([from, to]) =>
    driven
      .slice(from, to + 1)
      .some(({ lids }) => lids[0] + lids[1] <= (1 - BLINK) * (own.lids[0] + own.lids[1])),
  );
  const closed = lips.film.flatMap((gap, i) => (gap <= CLOSED ? [i] : []));
  const met = closed.filter((i) => lips.result[i]! <= CLOSED_RESULT);
  const metDriven = closed.filter((i) => driven[i]!.lips <= CLOSED);
  // Of one person a mouth that is narrower in the portrait's frame is no narrower mouth.
  const units = self
    ? { own: 1, seen: 1 }
    : { own: own.mouthWidth / rest.mouthWidth, seen: ownSeen.mouthWidth / rest.mouthWidth };
  return {
    name,
    opening: correlation(lips.film, lips.result),
    amplitude: deviation(lips.result) / deviation(lips.film) / units.seen,
    drivenAmplitude: deviation(driven.map((m) => m.lips)) / deviation(lips.film) / units.own,
    drivenClosures: `${metDriven.length} of ${closed.length}`,
    drivenBlinks: `${blinksDriven.length} of ${blinks.length}`,
    rotation: Math.sqrt(axes.reduce((sum, value) => sum + value, 0)),
    blinks: `${kept.length} of ${blinks.length}`,
    closures: `${met.length} of ${closed.length}`,
    psnr: mean(noise),
    ssim: mean(likeness),
    identity: mean(identities),
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number =>
    x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const rows: Row[] = [];
try {
  const pictures = await Promise.all(portraits.map((file) => loadImage(file, {})));
  for (const file of readdirSync(films)) {
    const film = path.join(films, file);
    const name = path.basename(file, path.extname(file));
    const whole = await trackFilm(film, { ffmpeg, finder });
    const { track, first } = partOf(whole);
    const frames: RgbImage[] = [];
    for await (const frame of readFrames(film, { ffmpeg, fps: track.fps })) frames.push(frame);
    const rest = frames[whole.rest.frame]!;
    const shown = frames.slice(first);
    if (!values.others) {
      rows.push(await drive(`${name} drives itself`, track, shown, rest, true));
    }
    for (const [i, picture] of pictures.entries()) {
      const other = path.basename(portraits[i]!, path.extname(portraits[i]!));
      rows.push(await drive(`${name} drives ${other}`, track, shown, picture, false));
    }
    process.stdout.write(`${JSON.stringify(rows.at(-1))}\n`);
  }
} finally {
  await studio?.dispose();
  await finder.dispose();
  await engine.dispose();
}
const number = (value: number, digits: number): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '';
const lines = rows.map((row) =>
  [
    ...[row.name, number(row.drivenAmplitude, 2), row.drivenClosures, row.drivenBlinks],
    ...[number(row.opening, 3), number(row.amplitude, 2), row.closures, row.blinks],
    ...[number(row.rotation, 2), number(row.psnr, 1), number(row.ssim, 3), number(row.identity, 3)],
  ].join(' | '),
);
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
writeFileSync(
  path.join(folder, 'drive.md'),
  `# Films that drive portraits

Made by scripts/bench/drive.ts at ${commit}; ${values.whole ? 'finished clips, preset fast' : 'before the denoiser'}. Amplitude: deviation of the inner lips' gap against the film's, in units
of the mouth's width; opening: its correlation with the film's. Closures: frames whose lips touch (landmarks at most 0.6 mm apart) in
the film, and that of those which touch in the result; blinks: lids shut by half. Of the mesh that moves the portrait, then of the
moved portrait, whose landmarks are measured again (1.2 mm). Rotation: root mean square of the error of the head's turn, degrees; PSNR
(dB) and SSIM against the film's own frames; identity: mean cosine of the embeddings of every fifth frame and the still portrait.

| | mesh: amplitude | closures | blinks | picture: opening | amplitude | closures | blinks | rotation | PSNR | SSIM | identity |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${lines.map((line) => `| ${line} |`).join('\n')}
`,
);

/**
 * Makes training data of one's own portraits and videos, in the form that prepare.ts reads.
 *
 *   node --import=tsx scripts/train/own-data.ts FOLDER WORK [--bundle assets/bundles/tiny]
 *
 * FOLDER holds pictures and videos; those of one person lie in a folder of their own, or the person is the file. People are
 * divided into train, val and test (8 : 1 : 1) by their name. A video gives clips of up to 3 s in which one face is seen
 * throughout; its sound is not used. WORK then serves prepare.ts as DATA and as WORK.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { squareCrop } from '../../src/face/crop.ts';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { fitFaceGeometry } from '../../src/face/geometry.ts';
import { matrixToPose } from '../../src/face/rotation.ts';
import { cropSquare } from '../../src/image/crop.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { loadImage } from '../../src/image/load-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { type ExpressionBasis, lipGap, loadExpressionBasis } from '../../src/motion/expression-basis.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';

const PICTURES = new Set(['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff', '.avif']);
const VIDEOS = new Set(['.mp4', '.mov', '.mkv', '.webm', '.avi', '.m4v']);
const SIZE = 256;
const FPS = 25;
/** Frames of a clip: 3 s, and what a training window and its choices need. */
const CLIP_FRAMES = 75;
const LEAST_FRAMES = 30;
/** Smaller faces are too soft to learn from, in pixels of the square around them. */
const LEAST_SQUARE = 140;
/** Turned further, one side of the mouth is not seen; in degrees. */
const MAX_YAW = 28;
/** Share of a clip's frames with the most closed mouths, which make its neutral mesh. */
const NEUTRAL_SHARE = 0.2;
/** Larger difference of red, green and blue than greyscale pictures have after JPEG, in levels. */
const COLOUR_LEVELS = 4;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { bundle: { type: 'string', default: 'assets/bundles/tiny' } },
});
const [folder, work] = positionals;
if (folder === undefined || work === undefined) {
  console.error('usage: own-data.ts FOLDER WORK [--bundle assets/bundles/tiny]');
  process.exit(2);
}

type Split = 'train' | 'val' | 'test';

/** Where a person belongs; the same in every run. */
function splitOf(person: string): Split {
  const value = createHash('sha256').update(person).digest()[0]! % 10;
  return value === 0 ? 'val' : value === 1 ? 'test' : 'train';
}

/** [n, 2] of [n, 3]. */
function flat(landmarks: Float64Array): Float64Array {
  return Float64Array.from(
    { length: (landmarks.length / 3) * 2 },
    (_, i) => landmarks[(i >> 1) * 3 + (i & 1)]!,
  );
}

function isColour({ data }: RgbImage): boolean {
  let sum = 0;
  for (let i = 0; i < data.length; i += 3) {
    sum += Math.max(data[i]!, data[i + 1]!, data[i + 2]!) - Math.min(data[i]!, data[i + 1]!, data[i + 2]!);
  }
  return sum / (data.length / 3) > COLOUR_LEVELS;
}

async function writeVideo(ffmpeg: string, file: string, pictures: readonly RgbImage[]): Promise<void> {
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${SIZE}x${SIZE}`, '-r', `${FPS}`, '-i', '-'];
  // FFV1 loses nothing, and every build of ffmpeg has it.
  const child = spawn(ffmpeg, ['-v', 'error', '-y', ...input, '-c:v', 'ffv1', '-pix_fmt', 'bgr0', file], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const closed = once(child, 'close');
  for (const { data } of pictures) if (!child.stdin.write(data)) await once(child.stdin, 'drain');
  child.stdin.end();
  const [code] = (await closed) as [number];
  if (code !== 0) throw new Error(`ffmpeg could not write ${file}`);
}

/** What a clip's meshes are in the basis, [frames, components], against its own mouth at rest. */
function coefficientsOf(
  meshes: readonly Float64Array[],
  { components, basis }: ExpressionBasis,
): Float32Array {
  const size = meshes[0]!.length;
  const calm = [...meshes]
    .sort((a, b) => lipGap(a) - lipGap(b))
    .slice(0, Math.ceil(meshes.length * NEUTRAL_SHARE));
  const neutral = Float64Array.from(
    { length: size },
    (_, i) => calm.reduce((sum, mesh) => sum + mesh[i]!, 0) / calm.length,
  );
  return Float32Array.from({ length: meshes.length * components }, (_, at) => {
    const mesh = meshes[Math.floor(at / components)]!;
    const start = (at % components) * size;
    let sum = 0;
    for (let i = 0; i < size; i++) sum += (mesh[i]! - neutral[i]!) * basis[start + i]!;
    return sum;
  });
}

interface Row {
  readonly file: string;
  readonly split: Split;
  readonly extra?: Record<string, string>;
}

async function writeTable(file: string, rows: readonly Row[], extra: readonly string[]): Promise<void> {
  const lines = rows.map((row) =>
    [row.file, ...extra.map((name) => row.extra![name]!), row.split].join('\t'),
  );
  await writeFile(file, `${[['file', ...extra, 'split'].join('\t'), ...lines].join('\n')}\n`);
}

const engine = await Engine.open({ device: 'cpu' });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const ffmpeg = await locateFfmpeg({ env: process.env });
const weights = openSafetensors(path.join(values.bundle, 'motion.safetensors'));
const basis = loadExpressionBasis(weights);
weights.dispose();
for (const name of ['portraits', 'talking', 'landmarks'])
  await mkdir(path.join(work, name), { recursive: true });

const portraits: Row[] = [];
const clips: Row[] = [];
const coefficients: number[] = [];
const lengths: number[] = [];

async function addPortrait(file: string, name: string, split: Split): Promise<string> {
  const image = await loadImage(file);
  const face = (await finder.findPortrait(image))[0];
  if (face === undefined) return 'no face';
  const { x, y, side } = squareCrop(flat(face.landmarks), image.width, image.height);
  const yaw = matrixToPose(fitFaceGeometry(face.landmarks, image.width, image.height).transform)[1]!;
  if (side < LEAST_SQUARE) return 'the face is too small';
  if (Math.abs(yaw) > MAX_YAW) return 'the face is turned away';
  // Twice the square: prepare.ts cuts it out again, in several sizes.
  const wide = { x: x - side / 2, y: y - side / 2, size: 2 * side };
  await saveImage(
    path.join(work!, 'portraits', `${name}.png`),
    cropSquare(image, wide, Math.min(1024, Math.round(2 * side))),
  );
  portraits.push({
    file: `${name}.png`,
    split,
    extra: { yaw: yaw.toFixed(1), bw: isColour(image) ? '0' : '1' },
  });
  return '1 portrait';
}

async function addVideo(file: string, name: string, split: Split): Promise<string> {
  let [frames, landmarks]: [RgbImage[], Float64Array[]] = [[], []];
  let made = 0;
  const finish = async (): Promise<void> => {
    const [pictures, faces] = [frames, landmarks];
    [frames, landmarks] = [[], []];
    if (pictures.length < LEAST_FRAMES) return;
    const { width, height } = pictures[0]!;
    const middle = flat(faces[0]!).map(
      (_, i) => faces.reduce((sum, face) => sum + face[(i >> 1) * 3 + (i & 1)]!, 0) / faces.length,
    );
    const { x, y, side } = squareCrop(middle, width, height);
    if (side < LEAST_SQUARE) return;
    const clip = `${name}_${made}`;
    await writeVideo(
      ffmpeg.path,
      path.join(work!, 'talking', `${clip}.mkv`),
      pictures.map((picture) => cropSquare(picture, { x, y, size: side }, SIZE)),
    );
    const values = faces.flatMap((face) =>
      Array.from(face, (value, i) => ((value - [x, y, 0][i % 3]!) * SIZE) / side),
    );
    await writeFile(
      path.join(work!, 'landmarks', `${clip}.f32`),
      Buffer.from(Float32Array.from(values).buffer),
    );
    clips.push({ file: `${clip}.mkv`, split });
    if (split === 'train') {
      const meshes = faces.map((face) => fitFaceGeometry(face, width, height).mesh);
      coefficients.push(...coefficientsOf(meshes, basis));
      lengths.push(meshes.length);
    }
    made += 1;
  };
  for await (const picture of readFrames(file, { ffmpeg, fps: FPS })) {
    const face = (await finder.findPortrait(picture))[0];
    const last = landmarks.at(-1);
    // Another face, or a cut: the nose jumps by more than a head moves in a frame.
    const jumped =
      face !== undefined &&
      last !== undefined &&
      Math.hypot(face.landmarks[3]! - last[3]!, face.landmarks[4]! - last[4]!) >
        0.25 * Math.hypot(last[33 * 3]! - last[263 * 3]!, last[33 * 3 + 1]! - last[263 * 3 + 1]!);
    if (face === undefined || jumped || frames.length === CLIP_FRAMES) await finish();
    if (face !== undefined) {
      frames.push(picture);
      landmarks.push(face.landmarks);
    }
  }
  await finish();
  return `${made} clips`;
}

try {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  for (const file of files.sort()) {
    const relative = path.relative(folder, file);
    const kind = path.extname(file).toLowerCase();
    if (!PICTURES.has(kind) && !VIDEOS.has(kind)) continue;
    const person = relative.includes(path.sep) ? relative.split(path.sep)[0]! : path.parse(relative).name;
    const name = relative.replace(/[^\w.-]+/g, '_').replace(/\.[^.]*$/, '');
    const add = PICTURES.has(kind) ? addPortrait : addVideo;
    const result = await add(file, name, splitOf(person)).catch((error: Error) => error.message);
    console.error(`${relative}: ${result}`);
  }
  await writeTable(path.join(work, 'portraits', 'index.tsv'), portraits, ['bw', 'yaw']);
  await writeTable(path.join(work, 'talking', 'index.tsv'), clips, []);
  const rounded = (list: ArrayLike<number>): number[] =>
    Array.from(list, (value) => Number(value.toFixed(5)));
  await writeFile(
    path.join(work, 'expression.json'),
    JSON.stringify({
      basis: rounded(basis.basis),
      blink: rounded(basis.blink),
      coefficients: rounded(coefficients),
      lengths,
    }),
  );
  console.log(`${portraits.length} portraits, ${clips.length} clips, ${lengths.length} of them for training`);
  if (lengths.length === 0) {
    console.error(
      'prepare.ts needs at least one clip of the split train: it moves the portraits as the clips do',
    );
  }
} finally {
  await finder.dispose();
  await engine.dispose();
}

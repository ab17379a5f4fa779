/**
 * Encodes one's own videos and portraits into samples for distil_checkpoint.py, with the networks of a bundle like AniPortrait's.
 *
 *   node --import=tsx scripts/train/encode-samples.ts FOLDER SAMPLES --bundle NAME [--device auto] [--seconds 3] [--threads N]
 *
 * A video's first frame with a face is its portrait: the square around that face is cut out of every frame, and what the
 * networks see of portrait and frames is made by the code that renders. Each stretch of up to `--seconds` in which a face is seen
 * throughout becomes a file. A still becomes one, too: a window in which the camera moves over it, its expression the same. In a file: `latents` [F, C, h, w], `reference_latents` [1, C, h, w], `pose.0`, `pose.1`, … [F, c, h, w], and
 * `image_embeds` [1, 1, width] where the bundle has an image encoder, in half precision. Files that exist are not made again.
 */
import { mkdir, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Square } from '../../src/face/crop.ts';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { fitFaceGeometry, projectMesh } from '../../src/face/geometry.ts';
import { choosePortraitFace } from '../../src/face/portrait-face.ts';
import { drawPoseImage, resizePoseImage } from '../../src/face/pose-image.ts';
import { cacheFolder } from '../../src/files/cache-folder.ts';
import { cropSquare } from '../../src/image/crop.ts';
import { loadImage } from '../../src/image/load-image.ts';
import { pillowResize } from '../../src/image/pillow-resize.ts';
import { toPlanar } from '../../src/image/planar.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { openBundle } from '../../src/models/bundle.ts';
import { type NetworkName, openBundleGraph } from '../../src/networks/bundle-graphs.ts';
import { writeGraph } from '../../src/networks/write-graph.ts';
import type { Device } from '../../src/runtime/device.ts';
import { Engine, type Network } from '../../src/runtime/engine.ts';
import { DrawnFace } from '../../src/scene/drawn-scene.ts';
import { FramedFace } from '../../src/scene/framed-face.ts';
import { sceneViewOf } from '../../src/scene/scene.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { encodeSafetensors } from '../../src/weights/safetensors.ts';
import { WeightCache } from '../../src/weights/weight-cache.ts';
import { cameraSquares } from '../lib/moving-camera.ts';

const PICTURES = new Set(['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff', '.avif']);
const VIDEOS = new Set(['.mp4', '.mov', '.mkv', '.webm', '.avi', '.m4v']);
const CHANNELS = 3;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bundle: { type: 'string' },
    device: { type: 'string', default: 'auto' },
    seconds: { type: 'string', default: '3' },
    threads: { type: 'string' },
  },
});
const [folder, samples] = positionals;
const seconds = Number(values.seconds);
if (folder === undefined || samples === undefined || values.bundle === undefined || !(seconds > 0)) {
  console.error(
    'usage: encode-samples.ts FOLDER SAMPLES --bundle NAME [--device auto] [--seconds 3] [--threads N]',
  );
  process.exit(2);
}

const bundle = await openBundle(values.bundle);
const { description } = bundle;
const { codec, contextFrames, fps, imageEncoder, resolution } = description;
const view = sceneViewOf(description);
if (codec.type !== 'autoencoder-kl' || view.type !== 'drawing') {
  throw new Error(`${values.bundle} is no bundle like AniPortrait's; own-data.ts prepares data for others`);
}
/** Whole windows: the pose guider of some variants normalises over the frames that it sees together. */
const clipFrames = Math.max(1, Math.round((seconds * fps) / contextFrames)) * contextFrames;

const engine = await Engine.open({
  device: values.device as Device | 'auto',
  ...(values.threads !== undefined && { threads: Number(values.threads) }),
});
const cache = new WeightCache({ folder: cacheFolder(process.env, process.platform, homedir()) });

async function load(name: NetworkName): Promise<Network> {
  const { device, precision } = engine;
  const options = { windowFrames: contextFrames, decodeFrames: 1, loras: [], device, precision };
  const { graph, weightsKey, dispose } = openBundleGraph(bundle, name, options);
  try {
    const { model, dataFolder } = await writeGraph(graph, { cache, weightsKey });
    return await engine.load(name, model, { dataFolder });
  } finally {
    dispose();
  }
}

/** [1, C, F, h, w] or [F, C, h, w] of several runs to one [F, C, h, w]. */
function joinFrames(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  const [, channels, frames, height, width] = first!.dims as [number, number, number, number, number];
  const cells = height * width;
  const data = new Float32Array(parts.length * frames * channels * cells);
  for (const [part, { data: from }] of parts.entries()) {
    for (let f = 0; f < frames; f++) {
      for (let c = 0; c < channels; c++) {
        const start = (c * frames + f) * cells;
        data.set(from.subarray(start, start + cells), ((part * frames + f) * channels + c) * cells);
      }
    }
  }
  return { data, dims: [parts.length * frames, channels, height, width] };
}

const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const encoder = await load('portrait-encoder');
const guider = await load('pose-guider');
const imageNetwork = imageEncoder === null ? undefined : await load('image-encoder');
const ffmpeg = await locateFfmpeg({ env: process.env });

async function encodePicture(picture: Float32Array): Promise<Tensor> {
  const { mean } = await encoder.run({
    image: { data: picture, dims: [1, CHANNELS, resolution, resolution] },
  });
  const { scalingFactor } = codec as { scalingFactor: number };
  return { data: mean!.data.map((value) => value * scalingFactor), dims: mean!.dims };
}

/** What belongs to a video's portrait. */
class Portrait {
  readonly framed: FramedFace;
  readonly #drawn: DrawnFace;
  #tensors: Promise<[string, Tensor][]> | undefined;

  constructor(image: RgbImage, file: string, faces: Awaited<ReturnType<FaceFinder['find']>>) {
    const face = choosePortraitFace(image, faces, { path: file });
    this.framed = new FramedFace(image, face);
    const { size, pixelDivisor, imageSize } = view as Extract<typeof view, { type: 'drawing' }>;
    this.#drawn = new DrawnFace({ image, face, size, pixelDivisor, imageSize, framing: 'crop' });
  }

  tensors(): Promise<[string, Tensor][]> {
    this.#tensors ??= this.#encode();
    return this.#tensors;
  }

  async #encode(): Promise<[string, Tensor][]> {
    const { picture, encoderPicture } = this.#drawn.reference();
    const list: [string, Tensor][] = [['reference_latents', await encodePicture(picture)]];
    if (imageNetwork !== undefined) {
      const side = imageEncoder!.imageSize;
      const pixels = { data: encoderPicture!, dims: [1, CHANNELS, side, side] };
      const { image_embeds } = await imageNetwork.run({ pixel_values: pixels });
      list.push(['image_embeds', { data: image_embeds!.data, dims: [1, 1, image_embeds!.data.length] }]);
    }
    return list;
  }
}

/** A frame as the networks see it, and the drawing of its pose. */
interface SeenFrame {
  readonly picture: Float32Array;
  readonly drawing: Float32Array;
}

/** Of the square around the portrait's face, or of another, which need not lie on whole pixels. */
function seen(
  image: RgbImage,
  landmarks: Float64Array,
  { framed }: Portrait,
  square: Square = framed.square,
): SeenFrame {
  const { x, y, side } = square;
  const cut = cropSquare(image, { x, y, size: side }, Math.round(side));
  const pixels = CHANNELS * resolution * resolution;
  const picture = toPlanar(pillowResize(cut, resolution, resolution, 'lanczos'), new Float32Array(pixels));
  const { mesh, transform } = fitFaceGeometry(landmarks, image.width, image.height);
  const points = projectMesh(mesh, transform, image.width, image.height).map(
    (value, i) => ((value - (i % 2 === 0 ? x : y)) * resolution) / side,
  );
  const size = { width: resolution, height: resolution };
  const drawn = resizePoseImage(drawPoseImage(points, size), resolution, resolution);
  const drawing = toPlanar(drawn, new Float32Array(pixels));
  // The original hands its bytes on as 2v − 1.
  const { pixelDivisor } = view as Extract<typeof view, { type: 'drawing' }>;
  return { picture, drawing: pixelDivisor === 255 ? drawing : drawing.map((v) => 255 * (v + 1) - 1) };
}

async function writeSample(file: string, frames: readonly SeenFrame[], portrait: Portrait): Promise<void> {
  const latents: Tensor[] = [];
  for (const { picture } of frames) latents.push(await encodePicture(picture));
  const poses: Record<string, Tensor>[] = [];
  for (let start = 0; start < frames.length; start += contextFrames) {
    const size = frames[0]!.drawing.length;
    const data = new Float32Array(contextFrames * size);
    for (let i = 0; i < contextFrames; i++) data.set(frames[start + i]!.drawing, i * size);
    const dims = [contextFrames, CHANNELS, resolution, resolution];
    poses.push(await guider.run({ [guider.inputs[0]!.name]: { data, dims } }));
  }
  const shape = latents[0]!.dims.slice(1);
  const all = new Float32Array(latents.length * latents[0]!.data.length);
  latents.forEach(({ data }, i) => {
    all.set(data, i * data.length);
  });
  const tensors: [string, Tensor][] = [
    ['latents', { data: all, dims: [latents.length, ...shape] }],
    ...(await portrait.tensors()),
    ...Object.keys(poses[0]!).map((name): [string, Tensor] => [
      name,
      joinFrames(poses.map((pose) => pose[name]!)),
    ]),
  ];
  await writeFile(`${file}.partial`, encodeSafetensors(tensors, { bundle: description.name }, 'F16'));
  await rename(`${file}.partial`, file);
}

function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

function sampleFile(name: string, index: number): string {
  return path.join(samples!, `${name}-${index}.safetensors`);
}

function summary(made: number, kept: number): string {
  return `${made} samples made, ${kept} there already`;
}

async function encodePortrait(file: string, name: string): Promise<string> {
  const out = sampleFile(name, 0);
  if (await exists(out)) return summary(0, 1);
  const image = await loadImage(file);
  const faces = await finder.findPortrait(image);
  const portrait = new Portrait(image, file, faces);
  const squares = cameraSquares(portrait.framed.square, contextFrames, name);
  await writeSample(
    out,
    squares.map((square) => seen(image, faces[0]!.landmarks, portrait, square)),
    portrait,
  );
  return summary(1, 0);
}

async function encodeVideo(file: string, name: string): Promise<string> {
  let portrait: Portrait | undefined;
  let frames: SeenFrame[] = [];
  let [made, kept] = [0, 0];
  const finish = async (): Promise<void> => {
    const whole = frames.slice(0, Math.floor(frames.length / contextFrames) * contextFrames);
    frames = [];
    if (whole.length === 0) return;
    const out = sampleFile(name, made + kept);
    if (await exists(out)) kept += 1;
    else {
      await writeSample(out, whole, portrait!);
      made += 1;
    }
  };
  for await (const image of readFrames(file, { ffmpeg, fps })) {
    const faces = await finder.findPortrait(image);
    if (faces.length === 0) {
      await finish();
      continue;
    }
    portrait ??= new Portrait(image, file, faces);
    frames.push(seen(image, faces[0]!.landmarks, portrait));
    if (frames.length === clipFrames) await finish();
  }
  await finish();
  return summary(made, kept);
}

try {
  await mkdir(samples, { recursive: true });
  const taken = new Map<string, string>();
  for (const relative of (await readdir(folder, { recursive: true })).sort()) {
    const kind = path.extname(relative).toLowerCase();
    if (!PICTURES.has(kind) && !VIDEOS.has(kind)) continue;
    const name = relative.replace(/\.[^.]*$/, '').replace(/[^\w.-]+/g, '_');
    const other = taken.get(name);
    if (other !== undefined)
      throw new Error(`${relative} and ${other} would give the same files: rename one`);
    taken.set(name, relative);
    const begun = performance.now();
    const encode = PICTURES.has(kind) ? encodePortrait : encodeVideo;
    const result = await encode(path.join(folder, relative), name).catch((error: Error) => error.message);
    console.log(`${relative}: ${result}, ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  }
} finally {
  await finder.dispose();
  await Promise.all([encoder.dispose(), guider.dispose(), imageNetwork?.dispose()]);
  await engine.dispose();
}

/**
 * Makes assets/portraits from synthetic faces: each sample is a morph of a dozen or more of them, a person who does not
 * exist. The lists are chosen by eye: frontal, mouth closed, similar hair where hair is taken from.
 *
 *   node --import=tsx scripts/assets/make-sample-portraits.ts PORTRAITS [NAME] [FOLDER FOR PICTURES ON THE WAY]
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { FaceFinder } from '../../src/face/face-finder.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import type { Member } from './morph/placement.ts';
import { type MorphOptions, morphPortraits } from './morph.ts';
import { blur, type Planes } from './planes.ts';

const QUALITY = 91;

/** Files without `.jpg`; weights default to 1 in the face and 0 around it. */
interface Sample extends Pick<MorphOptions, 'faceHeight' | 'faceMiddle' | 'wall' | 'recolour'> {
  readonly faces: readonly string[];
  /** Members whose hair and clothes are used too. */
  readonly surroundings: Readonly<
    Record<
      string,
      { readonly face?: number; readonly hair: number; readonly body: number; readonly tolerance?: number }
    >
  >;
}

const SAMPLES: Readonly<Record<string, Sample>> = {
  ada: {
    faceHeight: 0.45,
    faceMiddle: 0.51,
    wall: [196, 194, 190],
    recolour: false,
    surroundings: {
      faker_female_68: { hair: 1, body: 1, tolerance: 0.18 },
      faker_female_36: { hair: 0.45, body: 0.08 },
      faker_female_90: { hair: 0.5, body: 0.1 },
      sfhqt2i_sdxl_0002039: { hair: 0.8, body: 0.08, tolerance: 0.18 },
    },
    faces: [
      'faker_female_88',
      'faker_female_85',
      'faker_female_86',
      'faker_female_49',
      'faker_female_2',
      'faker_female_1',
      'sfhqt2i_sdxl_0015605',
      'sfhqt2i_sdxl_0020092',
      'sfhqt2i_flux1_schnell_0012567',
    ],
  },
  ben: {
    faceHeight: 0.47,
    faceMiddle: 0.49,
    wall: [176, 182, 188],
    recolour: true,
    surroundings: {
      faker_male_21: { hair: 1, body: 1, tolerance: 0.24 },
      faker_male_98: { hair: 0.6, body: 0.12 },
      faker_male_7: { hair: 0.3, body: 0 },
    },
    faces: [
      'faker_male_66',
      'faker_male_81',
      'faker_male_84',
      'faker_male_87',
      'faker_male_88',
      'faker_male_91',
      'faker_male_36',
      'faker_male_97',
      'faker_male_58',
    ],
  },
  cleo: {
    faceHeight: 0.55,
    faceMiddle: 0.48,
    wall: [205, 170, 140],
    recolour: false,
    surroundings: {
      faker_female_61: { hair: 1, body: 1 },
      faker_female_81: { hair: 0.5, body: 0.15 },
    },
    faces: [
      'faker_female_12',
      'faker_female_16',
      'faker_female_24',
      'faker_female_34',
      'faker_female_55',
      'faker_female_83',
      'faker_female_20',
      'faker_female_35',
      'faker_female_13',
      'faker_female_62',
    ],
  },
};

const [folder, onlyName, wayFolder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: make-sample-portraits.ts PORTRAITS [NAME] [FOLDER FOR PICTURES ON THE WAY]');
  process.exit(2);
}

const finder = await FaceFinder.open(async (_name, graph) => {
  const session = await InferenceSession.create(graph, { intraOpNumThreads: 1 });
  return {
    async run(inputs) {
      const feeds: Record<string, OrtTensor> = {};
      for (const [name, { data, dims }] of Object.entries(inputs))
        feeds[name] = new OrtTensor('float32', data, dims);
      const outputs: Record<string, Tensor> = {};
      for (const [name, { data, dims }] of Object.entries(await session.run(feeds))) {
        outputs[name] = { data: data as Float32Array, dims };
      }
      return outputs;
    },
    dispose: () => session.release(),
  };
});

async function loadMember(
  name: string,
  weights: Sample['surroundings'][string] | undefined,
): Promise<Member> {
  const path = join(folder!, `${name}.jpg`);
  const { data, info } = await sharp(path)
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const image = { data: new Uint8Array(data), width: info.width, height: info.height };
  const [detection] = await finder.detect(image);
  if (detection === undefined) throw new Error(`Cannot use ${path}: expected a face, got none`);
  const { points } = await finder.landmarks(image, detection);
  return {
    image,
    points: Float64Array.from({ length: (points.length / 3) * 2 }, (_, i) => points[(i >> 1) * 3 + (i & 1)]!),
    face: weights?.face ?? 1,
    hair: weights?.hair ?? 0,
    body: weights?.body ?? 0,
    wallTolerance: weights?.tolerance ?? 0.1,
  };
}

/** 8-bit pixels, with a little of the crispness back that averaging takes. */
function finish(picture: Planes, amount: number): Buffer {
  const soft = blur(picture, 1.2);
  return Buffer.from(
    Uint8Array.from(picture.data, (v, i) =>
      Math.max(0, Math.min(255, Math.round((v + amount * (v - soft.data[i]!)) * 255))),
    ),
  );
}

const { triangles } = JSON.parse(
  readFileSync(new URL('../../assets/face/face-mesh.json', import.meta.url), 'utf8'),
) as { triangles: number[] };
const assets = new URL('../../assets/portraits/', import.meta.url);
mkdirSync(assets, { recursive: true });

for (const [name, sample] of Object.entries(SAMPLES)) {
  if (onlyName !== undefined && onlyName !== name) continue;
  const members: Member[] = [];
  for (const [file, weights] of Object.entries(sample.surroundings))
    members.push(await loadMember(file, weights));
  for (const file of sample.faces) members.push(await loadMember(file, undefined));

  const writes: Promise<unknown>[] = [];
  const morph = morphPortraits(members, triangles, {
    ...sample,
    ...(wayFolder === undefined
      ? {}
      : {
          onPicture: (step: string, picture: Planes) => {
            const raw = { width: picture.size, height: picture.size, channels: 3 as const };
            writes.push(
              sharp(finish(picture, 0), { raw })
                .png()
                .toFile(join(wayFolder, `${name}-${step}.png`)),
            );
          },
        }),
  });
  await Promise.all(writes);
  const raw = { width: morph.size, height: morph.size, channels: 3 as const };
  const { size } = await sharp(finish(morph, 0.35), { raw })
    .jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4', mozjpeg: true })
    .toFile(fileURLToPath(new URL(`${name}.jpg`, assets)));
  console.log(`${name}.jpg: ${members.length} people, ${size} bytes`);
}
await finder.dispose();

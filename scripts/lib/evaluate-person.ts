/** One held-out person with one held-out recording, rendered and measured. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { squareCrop } from '../../src/face/crop.ts';
import type { FaceEmbedder } from '../../src/face/face-embedding.ts';
import type { FaceFinder } from '../../src/face/face-finder.ts';
import { cropSquare } from '../../src/image/crop.ts';
import { loadImage } from '../../src/image/load-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { bestLag, correlation, cosine, deviation } from '../../src/metrics/series.ts';
import type { AnimateOptions } from '../../src/pipeline/animate-options.ts';
import { networksOf } from '../../src/pipeline/job-networks.ts';
import type { Studio } from '../../src/pipeline/studio.ts';
import type { Engine } from '../../src/runtime/engine.ts';
import { type DrivingMouth, readDrivingMouth } from './driving-motion.ts';
import type { HeldOutSpeech, Phone } from './held-out.ts';
import { type ClipMeasures, measureClip } from './measure-clip.ts';
import { measurePhones, type PhoneOpenings, phoneTargets } from './phone-openings.ts';
import { renderWarp } from './render-warp.ts';
import { encodeWav } from './wav.ts';

/** Frames of a person on the contact sheet and for identity. */
export const SAMPLES = 6;
const SAMPLE_RATE = 16000;
/** Silence after the speech, in seconds, in which the mouth should close. */
const TAIL = 0.5;
const LAG_REACH = 5;
const CELL = 192;

/** What all people have in common. */
export interface EvaluationSetup {
  readonly ffmpeg: FfmpegInfo;
  readonly engine: Engine;
  readonly finder: FaceFinder;
  readonly embedder: FaceEmbedder | undefined;
  /** Where all clips are made, so that its networks are loaded once. */
  readonly studio: Studio;
  /** Folder for the clips, removed by the caller. */
  readonly folder: string;
  /** Speech is cut to this many seconds. */
  readonly seconds: number;
  readonly settings: Pick<AnimateOptions, 'preset' | 'steps' | 'bundle'>;
}

/** What was measured. */
export interface PersonMeasures {
  readonly portrait: string;
  readonly speech: string;
  readonly clip: ClipMeasures;
  /** Correlation of driving and found mouth opening, and its best lag in frames. */
  readonly correlation: number;
  readonly lag: number;
  /** Correlation of the found opening with what the phones say; NaN where the speech is not labelled. */
  readonly phoneCorrelation: number;
  /** Standard deviation of the found opening over that of the driving one. */
  readonly amplitude: number;
  readonly driving: DrivingMouth;
  /** Of the driving mouth and of the one that was found. */
  readonly drivingPhones: PhoneOpenings;
  readonly foundPhones: PhoneOpenings;
  /** Cosines of the embeddings of the portrait and of sample frames; empty without an embedder. */
  readonly similarities: readonly number[];
  readonly embedding: Float32Array | undefined;
  /** The portrait's face, then sample frames. */
  readonly pictures: readonly RgbImage[];
}

/** Speech of at most `seconds`, with silence after it, as a WAV file; its phones to the end of the silence. */
async function prepareSpeech(
  { path: file, phones = [] }: HeldOutSpeech,
  wav: string,
  { ffmpeg, seconds }: EvaluationSetup,
): Promise<Phone[]> {
  const { pcm } = await readAudio(file, { ffmpeg, sampleRate: SAMPLE_RATE });
  const spoken = Math.min(pcm.length, Math.round(seconds * SAMPLE_RATE));
  const samples = new Float32Array(spoken + TAIL * SAMPLE_RATE);
  samples.set(pcm.subarray(0, spoken));
  await writeFile(wav, encodeWav(samples, SAMPLE_RATE));
  const end = spoken / SAMPLE_RATE;
  return [
    ...phones.filter((phone) => phone.end <= end),
    { start: end, end: samples.length / SAMPLE_RATE, name: 'SIL' },
  ];
}

/** A person's clip as it is rendered, and the same with nothing generated. */
export interface EvaluatedPerson {
  readonly whole: PersonMeasures;
  readonly warp: PersonMeasures;
}

/** Renders and measures both; the clips are removed. */
export async function evaluatePerson(
  portrait: string,
  speech: HeldOutSpeech,
  setup: EvaluationSetup,
): Promise<EvaluatedPerson> {
  const { folder, studio, settings } = setup;
  await mkdir(folder, { recursive: true });
  const audio = path.join(folder, 'speech.wav');
  const output = path.join(folder, 'clip.mp4');
  const phones = await prepareSpeech(speech, audio, setup);
  const options: AnimateOptions = { ...settings, portrait, audio, output, overwrite: true, device: 'cpu' };
  const driving = await readDrivingMouth(options, setup);
  const clip = await studio.prepare(options, networksOf);
  try {
    const measured = { portrait, speech, phones, driving, output };
    await studio.render(clip);
    const whole = await measurePerson(measured, setup);
    await renderWarp(clip);
    return { whole, warp: await measurePerson(measured, setup) };
  } finally {
    await clip.dispose();
    await rm(output, { force: true });
  }
}

/** What is measured: the clip at `output`, and what it was made of. */
interface MeasuredPerson {
  readonly portrait: string;
  readonly speech: HeldOutSpeech;
  readonly phones: readonly Phone[];
  readonly driving: DrivingMouth;
  readonly output: string;
}

async function measurePerson(
  { portrait, speech, phones, driving, output }: MeasuredPerson,
  { ffmpeg, finder, embedder }: EvaluationSetup,
): Promise<PersonMeasures> {
  const frames = driving.openings.length;
  const sampleFrames = Array.from({ length: SAMPLES }, (_, i) => Math.floor(((i + 0.5) * frames) / SAMPLES));
  const clip = await measureClip(output, { ffmpeg, finder, sampleFrames });

  const image = await loadImage(portrait);
  const landmarks = (await finder.findPortrait(image))[0]!.landmarks;
  const flat = Float64Array.from(
    { length: (landmarks.length / 3) * 2 },
    (_, i) => landmarks[(i >> 1) * 3 + (i & 1)]!,
  );
  const { x, y, side } = squareCrop(flat, image.width, image.height);
  // Video sizes are even; the crop is the same part of either picture.
  const pictures = [image, ...clip.samples.map(({ picture }) => picture)].map((picture) =>
    cropSquare(picture, { x, y, size: side }, CELL, 'lanczos'),
  );
  const similarities: number[] = [];
  const embedding = await embedder?.embed(image, landmarks);
  if (embedder !== undefined && embedding !== undefined) {
    for (const sample of clip.samples) {
      if (sample.landmarks === undefined) continue;
      similarities.push(cosine(embedding, await embedder.embed(sample.picture, sample.landmarks)));
    }
  }
  return {
    portrait: path.parse(portrait).name,
    speech: speech.name,
    clip,
    correlation: correlation(driving.openings, clip.openings),
    lag: bestLag(driving.openings, clip.openings, LAG_REACH),
    phoneCorrelation:
      speech.phones === undefined
        ? Number.NaN
        : correlation(phoneTargets(clip.openings.length, driving.fps, phones), clip.openings),
    amplitude: deviation(clip.openings) / deviation(driving.openings),
    driving,
    drivingPhones: measurePhones(driving.openings, driving.fps, phones),
    foundPhones: measurePhones(clip.openings, driving.fps, phones),
    similarities,
    embedding,
    pictures,
  };
}

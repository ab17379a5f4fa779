/** What a frame of a whole clip takes, measured from outside: of two clips of unlike length, what the longer one takes more. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import type { PresetName } from '../../src/models/bundle-terms.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { computedIn, mainThreadTime } from './processor-time.ts';
import { encodeWav } from './wav.ts';

const FPS = 25;
const SAMPLE_RATE = 16_000;
/** Of the embedded bundle. */
const WINDOW_FRAMES = 12;
/** Windows of the shorter clip, for each step. */
const SHORT_WINDOWS = 2;

/** Processor milliseconds a frame. */
export interface ClipBudget {
  readonly frame: number;
  /** The part of the main thread, which hands arrays from one thread to the other. */
  readonly main: number;
}

/** Options of {@link measureClip}. */
interface ClipBudgetOptions {
  readonly ffmpeg: FfmpegInfo;
  /** An empty folder. */
  readonly folder: string;
  readonly portrait: string;
  /** Speech that is repeated as often as it takes. */
  readonly speech: string;
  readonly preset: PresetName;
  /** Every nth frame is denoised by the preset. */
  readonly every: number;
  /** Windows that the longer clip has more, for each step. */
  readonly windows: number;
}

/** Measures in one process that has rendered a clip before, so that neither starting nor compiling counts. */
export async function measureClip({
  ffmpeg,
  folder,
  portrait,
  speech,
  preset,
  every,
  windows,
}: ClipBudgetOptions): Promise<ClipBudget> {
  const { pcm } = await readAudio(speech, { ffmpeg, sampleRate: SAMPLE_RATE });
  const studio = await Studio.open({ device: 'cpu' });
  const framesOf = (count: number): number => every * WINDOW_FRAMES * count - (every - 1);
  const render = async (frames: number): Promise<number> => {
    const samples = Math.floor((frames * SAMPLE_RATE) / FPS);
    const audio = path.join(folder, `${frames}.wav`);
    const long = Float32Array.from({ length: samples }, (_, i) => pcm[i % pcm.length]!);
    await writeFile(audio, encodeWav(long, SAMPLE_RATE));
    const output = path.join(folder, 'clip.mp4');
    const clip = await studio.prepare({ portrait, audio, output, preset, overwrite: true });
    try {
      return (await studio.render(clip)).frames;
    } finally {
      await clip.dispose();
    }
  };
  const [short, long] = [framesOf(SHORT_WINDOWS), framesOf(SHORT_WINDOWS + windows)];
  try {
    await render(short);
    const ofShort = await computedIn(() => render(short));
    const before = mainThreadTime();
    const ofLong = await computedIn(() => render(long));
    return { frame: (ofLong - ofShort) / (long - short), main: (mainThreadTime() - before) / long };
  } finally {
    await studio.dispose();
  }
}

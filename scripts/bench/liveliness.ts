/**
 * How lively faces are: motion of lips, head, brows and lids within four seconds. Films and rendered clips are measured alike, as the
 * attention mesh sees them; with a portrait, what the motion of recordings tells it to show, in each style, before anything is drawn.
 *
 *   node --import=tsx scripts/bench/liveliness.ts VIDEO…
 *   node --import=tsx scripts/bench/liveliness.ts --portrait PICTURE [--seeds 3] [--seconds 12] [--bundle NAME] RECORDING…
 */
import { parseArgs } from 'node:util';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { openBundle } from '../../src/models/bundle.ts';
import { loadMotion } from '../../src/motion/load-motion.ts';
import { STYLE_NAMES } from '../../src/motion/speaking-style.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { drivenStates, portraitMesh } from '../lib/driven-states.ts';
import { livelinessTable } from '../lib/liveliness-table.ts';
import { type FaceState, stateOfLandmarks } from '../lib/talk-measures.ts';
import { trackFilm } from '../lib/track-film.ts';
import { measuredOn } from '../lib/write-report.ts';

const FPS = 25;
const SAMPLE_RATE = 16000;

const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    portrait: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '12' },
    bundle: { type: 'string', default: 'tiny' },
  },
});
const [seeds, seconds] = [Number(values.seeds), Number(values.seconds)];
if (files.length === 0 || !Number.isInteger(seeds) || seeds < 1 || !(seconds >= 1)) {
  console.error(
    'usage: liveliness.ts VIDEO…\n' +
      '       liveliness.ts --portrait PICTURE [--seeds 3] [--seconds 12] [--bundle NAME] RECORDING…',
  );
  process.exit(2);
}

const ffmpeg = await locateFfmpeg({ env: process.env });
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));

/** Clips as a camera would see them, by the name of their row. */
async function seen(): Promise<Map<string, FaceState[][]>> {
  const clips = new Map<string, FaceState[][]>();
  for (const file of files) {
    const { width, height, landmarks } = await trackFilm(file, { finder, ffmpeg, fps: FPS });
    const states = landmarks.map((points) => stateOfLandmarks(points, width, height));
    const found = states.filter(({ opening }) => Number.isFinite(opening)).length;
    if (found < 2) throw new Error(`${file}: a face was found in ${found} frames`);
    clips.set(file.split('/').at(-1)!, [states]);
  }
  return clips;
}

/** The first seconds of all recordings, with each seed, by style. */
async function driven(portrait: string): Promise<Map<string, FaceState[][]>> {
  const bundle = await openBundle(values.bundle);
  const motionOf = await loadMotion(bundle, (name, graph) => engine.load(name, graph.toBytes()));
  const mesh = await portraitMesh(portrait, { finder, resolution: bundle.description.resolution });
  const clips = new Map<string, FaceState[][]>(STYLE_NAMES.map((style) => [style, []]));
  for (const audio of files) {
    const { pcm: whole } = await readAudio(audio, { ffmpeg, sampleRate: SAMPLE_RATE });
    const pcm = whole.subarray(0, seconds * SAMPLE_RATE);
    const clip = { motionOf, mesh, pcm, fps: FPS, frames: Math.floor((pcm.length / SAMPLE_RATE) * FPS) };
    for (const style of STYLE_NAMES) {
      for (let seed = 1; seed <= seeds; seed++) {
        const options = { portrait, audio, output: 'none.mp4', bundle: values.bundle, style, seed };
        clips.get(style)!.push(await drivenStates({ ...clip, options }));
      }
    }
  }
  return clips;
}

try {
  const clips = values.portrait === undefined ? await seen() : await driven(values.portrait);
  console.log(`${measuredOn()}\n`);
  console.log(livelinessTable(clips, FPS, { total: values.portrait === undefined }));
} finally {
  await finder.dispose();
  await engine.dispose();
}

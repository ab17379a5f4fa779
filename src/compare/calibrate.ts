/** Measures the ranges of a bundle's activations, which 8-bit integers need, and keeps them with the bundle. */
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { storeCalibration } from '../bundles/store-calibration.ts';
import { countWindowSteps } from '../denoising/context-windows.ts';
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import { ownUrl } from '../files/own-file.ts';
import { openBundle } from '../models/bundle.ts';
import { CALIBRATION_FORMAT } from '../models/calibration.ts';
import { loadNetworks } from '../networks/load-networks.ts';
import { networksOf } from '../pipeline/job-networks.ts';
import { defaultBundleStore, defaultCacheFolder } from '../pipeline/machine-places.ts';
import { findInvalidOptions } from '../pipeline/resolve-options.ts';
import { Studio } from '../pipeline/studio.ts';
import { WeightCache } from '../weights/weight-cache.ts';
import { ActivationRanges } from './activation-ranges.ts';
import { measureRender } from './measure-render.ts';

const ASSETS = fileURLToPath(ownUrl('../../assets/', import.meta.url));
const PORTRAITS = ['ada', 'ben', 'cleo'].map((name) => path.join(ASSETS, 'portraits', `${name}.jpg`));
const [SHORT, LONG] = ['short', 'welcome'].map((name) => path.join(ASSETS, 'speech', `${name}.wav`)) as [
  string,
  string,
];

/** What {@link CalibrateOptions.onProgress} receives. */
export type CalibrateEvent =
  /** A rendering begins. */
  | { readonly type: 'clip'; readonly clip: string; readonly number: number; readonly of: number }
  /** Evaluations of the denoiser in the rendering. */
  | { readonly type: 'evaluations'; readonly done: number; readonly total: number }
  | { readonly type: 'notice'; readonly message: string };

/** Options of {@link calibrate}. */
export interface CalibrateOptions {
  /** Name or folder of a bundle, whose folder can be written. */
  readonly bundle: string;
  /** Pictures of faces. @defaultValue the three samples */
  readonly portraits?: readonly string[];
  /** Speech that every portrait says by the preset fast. @defaultValue the two samples */
  readonly audios?: readonly string[];
  /** Speech that every portrait says by the preset original, for many more timesteps. @defaultValue the shorter sample */
  readonly originalAudios?: readonly string[];
  /** Threads of the engine. @defaultValue one for each core */
  readonly threads?: number | undefined;
  readonly ffmpegPath?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: CalibrateEvent) => void) | undefined;
}

/** What {@link calibrate} made. */
export interface CalibrateResult {
  /** File with the ranges. */
  readonly path: string;
  /** Layers that integers can be used for, by network. */
  readonly layers: Readonly<Record<string, number>>;
}

/**
 * Renders every portrait with every recording by the preset fast, and with the recordings for the original by that preset:
 * all timesteps, with and without LoRA, both branches of guidance. Presets that the bundle has not are left out. The same
 * files give the same ranges.
 *
 * @throws {@link InvalidOptionError} if there is nothing to render; {@link InvalidOptionsError} if `threads` is no number of
 *   threads.
 * @throws {@link EnvironmentError} if the bundle's folder cannot be written.
 * @throws what `animate` throws before and while it renders; the bundle is as it was then.
 * @example
 * await calibrate({ bundle: 'aniportrait', portraits: ['face.jpg'], audios: ['speech.wav'], originalAudios: [] });
 */
export async function calibrate(options: CalibrateOptions): Promise<CalibrateResult> {
  const { portraits = PORTRAITS, audios = [SHORT, LONG], originalAudios = [SHORT] } = options;
  const { threads, ffmpegPath, signal, onProgress } = options;
  const wrong = findInvalidOptions({ portrait: '-', audio: '-', output: 'clip.mp4', threads });
  if (wrong.length > 0) throw new InvalidOptionsError(wrong);
  const bundle = await openBundle(options.bundle, defaultBundleStore());
  const { presets } = bundle.description;
  const clips = portraits.flatMap((portrait) => [
    ...audios.map((audio) => ({ portrait, audio, preset: 'fast' as const })),
    ...originalAudios.map((audio) => ({ portrait, audio, preset: 'original' as const })),
  ]);
  const rendered = clips.filter(({ preset }) => presets[preset] !== undefined);
  if (rendered.length === 0) {
    throw new InvalidOptionError(
      `Cannot calibrate bundle ${bundle.description.name}: expected portraits, and speech for one of its presets (${Object.keys(presets).join(', ')}), got none`,
      'audios',
      audios,
    );
  }
  const ranges = new ActivationRanges();
  const cache = new WeightCache({ folder: defaultCacheFolder() });
  const onNotice = (message: string): void => onProgress?.({ type: 'notice', message });
  const studio = new Studio({ device: 'cpu', ...(threads !== undefined && { threads }), onNotice });
  try {
    const engine = await studio.denoisingEngine();
    for (const [index, { portrait, audio, preset }] of rendered.entries()) {
      signal?.throwIfAborted();
      const clip = `${nameOf(portrait)}, ${nameOf(audio)}, ${preset}`;
      onProgress?.({ type: 'clip', clip, number: index + 1, of: rendered.length });
      const prepared = await studio.prepare({
        portrait,
        audio,
        preset,
        precision: 'float32',
        bundle: bundle.folder,
        output: path.join(tmpdir(), 'calibration-writes-no-video.mp4'),
        overwrite: true,
        ...(ffmpegPath !== undefined && { ffmpegPath }),
        ...(signal !== undefined && { signal }),
      });
      try {
        const { job, scene } = prepared;
        const { engine: observed, graphs } = ranges.observe(bundle, engine, cache);
        const networks = await loadNetworks({
          ...networksOf(job),
          graphs,
          denoisingEngine: observed,
          sideEngine: observed,
          signal,
          onNotice,
        });
        try {
          const total = countWindowSteps(job.windows);
          let done = 0;
          await measureRender({
            job,
            scene,
            networks,
            sampling: job.sampling,
            signal,
            pass: async () => {},
            onStep: () => onProgress?.({ type: 'evaluations', done: ++done, total }),
          });
        } finally {
          await networks.dispose();
        }
      } finally {
        await prepared.dispose();
      }
    }
  } finally {
    await studio.dispose();
  }
  const list = (files: readonly string[]): string => files.map(nameOf).join(', ');
  const { networks } = ranges;
  const file = await storeCalibration(bundle, {
    formatVersion: CALIBRATION_FORMAT,
    description: `portraits ${list(portraits)}; preset fast on ${list(audios)}; preset original on ${list(originalAudios)}`,
    networks,
  });
  const layers = Object.entries(networks).map(([part, found]) => [part, Object.keys(found).length]);
  return { path: file, layers: Object.fromEntries(layers) };
}

function nameOf(file: string): string {
  return path.basename(file, path.extname(file));
}

/**
 * Measures the ranges of a bundle's activations, which `--precision int8` needs, and writes them beside its weights.
 *
 *   node --import=tsx scripts/calibrate.ts [--bundle tiny] [--portrait FILE]… [--audio FILE]… [--original-audio FILE]…
 *
 * Renders every portrait with every recording by the preset fast, and with the recordings for the original by that preset:
 * all timesteps, with and without LoRA, both halves of guidance. The same files give the same ranges.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureRender } from '../src/compare/measure-render.ts';
import { type Bundle, openBundle } from '../src/models/bundle.ts';
import { CALIBRATION_FORMAT, type CalibratedNetwork, type Calibration } from '../src/models/calibration.ts';
import {
  ActivationObserver,
  type ActivationRange,
  type NetworkRanges,
  RANGES_OUTPUT,
} from '../src/models/quantization.ts';
import { type NetworkName, openBundleGraph } from '../src/pipeline/bundle-graphs.ts';
import type { LoadingEngine } from '../src/pipeline/bundle-networks.ts';
import { loadNetworks } from '../src/pipeline/load-networks.ts';
import { defaultBundleStore } from '../src/pipeline/open-job.ts';
import { networksOf, Studio } from '../src/pipeline/studio.ts';
import type { Engine } from '../src/runtime/engine.ts';

const FILE = 'calibration.json';
const PORTRAITS = ['ada', 'ben', 'cleo'].map((name) => `assets/portraits/${name}.jpg`);
const SPEECH = ['assets/speech/short.wav', 'assets/speech/welcome.wav'];

const { values } = parseArgs({
  options: {
    bundle: { type: 'string', default: 'tiny' },
    portrait: { type: 'string', multiple: true, default: PORTRAITS },
    audio: { type: 'string', multiple: true, default: SPEECH },
    'original-audio': { type: 'string', multiple: true, default: SPEECH.slice(0, 1) },
  },
});

/** Networks that may be computed in integers, with the part of the bundle that each is. */
const CALIBRATED: Readonly<Partial<Record<NetworkName, CalibratedNetwork>>> = {
  'denoising-unet': 'denoisingUnet',
  'unconditional-denoising-unet': 'denoisingUnet',
  'pose-guider': 'poseGuider',
  decoder: 'codec',
};

/**
 * Layers of the denoiser that write what flows from its beginning to its end, or read it unnormalised: rounding there is
 * never normed away. With them the prediction's relative error was four times as large.
 */
const EXACT = /(^|\.)(conv_in|conv_out|conv_shortcut)$|\.(up|down)samplers\.\d+\.conv$/;

function union(a: ActivationRange | undefined, b: ActivationRange): ActivationRange {
  return a === undefined ? b : [Math.min(a[0], b[0]), Math.max(a[1], b[1])];
}

/** Ranges over everything that was run. */
class Ranges {
  readonly networks: Partial<Record<CalibratedNetwork, Record<string, NetworkRanges[string]>>> = {};

  add(part: CalibratedNetwork, ranges: NetworkRanges): void {
    this.networks[part] ??= {};
    const known = this.networks[part];
    for (const [layer, { input, output }] of Object.entries(ranges)) {
      if (part === 'denoisingUnet' && EXACT.test(layer)) continue;
      const before = known[layer];
      known[layer] = {
        input: union(before?.input, input),
        ...(output !== undefined && { output: union(before?.output, output) }),
      };
    }
  }
}

/** Engine and graphs whose networks report ranges; what they return besides is what the bundle's own do. */
function observing(bundle: Bundle, engine: Engine, ranges: Ranges) {
  const observers = new Map<string, ActivationObserver>();
  const loading: LoadingEngine = {
    device: engine.device,
    precision: engine.precision,
    load: async (name, graph, options) => {
      const network = await engine.load(name, graph, options);
      const observer = observers.get(name);
      const part = CALIBRATED[name as NetworkName];
      if (observer === undefined || part === undefined) return network;
      return {
        name,
        inputs: network.inputs,
        outputs: network.outputs.filter((output) => output.name !== RANGES_OUTPUT),
        bind: (inputs, how) => network.bind(inputs, how),
        dispose: () => network.dispose(),
        run: async (inputs, how) => {
          const { [RANGES_OUTPUT]: extremes, ...outputs } = await network.run(inputs, how);
          ranges.add(part, observer.ranges(extremes!.data));
          return outputs;
        },
      };
    },
  };
  const graphs = {
    build: async (_: Bundle, name: NetworkName, options: Parameters<typeof openBundleGraph>[2]) => {
      const observer = CALIBRATED[name] === undefined ? undefined : new ActivationObserver();
      if (observer !== undefined) observers.set(name, observer);
      const { graph, dispose } = openBundleGraph(
        bundle,
        name,
        { ...options, precision: 'float32' },
        observer,
      );
      try {
        return { model: graph.toBytes(), precision: 'float32' as const };
      } finally {
        dispose();
      }
    },
  };
  return { loading, graphs };
}

/** Other faces and voices go further than those of the calibration; what is beyond a range is cut off. */
const MARGIN = 1.2;

/** With the margin, to four digits, which is finer than a step of 1/255. */
function rounded(ranges: NetworkRanges): NetworkRanges {
  const round = ([low, high]: ActivationRange): ActivationRange => [
    Number((MARGIN * low).toPrecision(4)),
    Number((MARGIN * high).toPrecision(4)),
  ];
  return Object.fromEntries(
    Object.entries(ranges).map(([layer, { input, output }]) => [
      layer,
      { input: round(input), ...(output !== undefined && { output: round(output) }) },
    ]),
  );
}

const bundle = await openBundle(values.bundle, defaultBundleStore());
const ranges = new Ranges();
const studio = await Studio.open({ device: 'cpu' });
try {
  const engine = await studio.denoisingEngine();
  const runs = values.portrait.flatMap((portrait) => [
    ...values.audio.map((audio) => ({ portrait, audio, preset: 'fast' as const })),
    ...values['original-audio'].map((audio) => ({ portrait, audio, preset: 'original' as const })),
  ]);
  for (const run of runs) {
    if (bundle.description.presets[run.preset] === undefined) continue;
    console.error(`${path.basename(run.portrait)}, ${path.basename(run.audio)}, ${run.preset}`);
    const output = path.join(tmpdir(), 'calibration-writes-no-video.mp4');
    const clip = await studio.prepare({ ...run, output, bundle: bundle.folder, precision: 'float32' });
    try {
      const { loading, graphs } = observing(bundle, engine, ranges);
      const networks = await loadNetworks({
        ...networksOf(clip.job),
        graphs,
        denoisingEngine: loading,
        sideEngine: loading,
      });
      const { job, scene } = clip;
      await measureRender({ job, scene, networks, sampling: job.sampling, pass: async () => {} });
      await networks.dispose();
    } finally {
      await clip.dispose();
    }
  }
} finally {
  await studio.dispose();
}

const names = (files: readonly string[]): string =>
  files.map((file) => path.basename(file, path.extname(file))).join(', ');
const calibration: Calibration = {
  formatVersion: CALIBRATION_FORMAT,
  description: `portraits ${names(values.portrait)}; preset fast on ${names(values.audio)}; preset original on ${names(values['original-audio'])}`,
  networks: Object.fromEntries(
    Object.entries(ranges.networks).map(([part, layers]) => [part, rounded(layers)]),
  ),
};
const text = `${JSON.stringify(calibration, null, 1).replace(/\[\s+(\S+),\s+(\S+)\s+\]/g, '[$1, $2]')}\n`;
await writeFile(path.join(bundle.folder, FILE), text);
const manifest = path.join(bundle.folder, 'bundle.json');
const before = await readFile(manifest, 'utf8');
const entry = `"calibration": {
      "path": "${FILE}",
      "bytes": ${Buffer.byteLength(text)},
      "sha256": "${createHash('sha256').update(text).digest('hex')}"
    }`;
// The rest of the file stays as it was written, numbers included.
const known = /"calibration": \{[^}]*\}/;
const after = known.test(before)
  ? before.replace(known, entry)
  : before.replace(/\n {2}\}\n\}\s*$/, `,\n    ${entry}\n  }\n}\n`);
if (!after.includes(entry)) throw new Error(`expected the list of files at the end of ${manifest}`);
await writeFile(manifest, after);
console.error(
  `${FILE}: ${Object.values(calibration.networks)
    .map((layers) => Object.keys(layers).length)
    .join(' + ')} layers`,
);

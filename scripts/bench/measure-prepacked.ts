/**
 * What it would gain to keep graphs as ONNX Runtime has optimised and packed them: time to open, private memory, size on
 * the disk, and whether the numbers are the same.
 *
 *   node --import=tsx scripts/bench/measure-prepacked.ts --bundle FOLDER [--network denoising-unet] [--frames 2] [--output FILE.md]
 *
 * Writes weights and the packed graph to the folder for temporary files: 14 GB for AniPortrait's denoiser.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { openBundle } from '../../src/models/bundle.ts';
import { type NetworkName, openBundleGraph } from '../../src/networks/bundle-graphs.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount } from '../../src/tensor/tensor.ts';
import { WeightCache } from '../../src/weights/weight-cache.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    bundle: { type: 'string' },
    network: { type: 'string', default: 'denoising-unet' },
    frames: { type: 'string', default: '2' },
    output: { type: 'string' },
    /** What a child process of this script does, and where. */
    form: { type: 'string' },
    folder: { type: 'string' },
  },
});
if (values.bundle === undefined) throw new Error('--bundle is needed');
/** As the program opens a graph; the same, written down packed; what was written down. */
const FORMS = ['plain', 'saving', 'packed'] as const;
type Form = (typeof FORMS)[number];

interface Measured {
  readonly openSeconds: number;
  readonly privateBytes: number;
  readonly runSeconds: number;
  readonly privateAfterRun: number;
}

/** Memory that no file stands for; Linux only. */
function privateBytes(): number {
  return 1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

async function measure(form: Form, folder: string): Promise<Measured> {
  ort.env.logLevel = 'fatal';
  const bundle = await openBundle(values.bundle!);
  const { graph, weightsKey, dispose } = openBundleGraph(bundle, values.network as NetworkName, {
    windowFrames: Number(values.frames),
    decodeFrames: 1,
    loras: [],
    device: 'cpu',
    precision: 'float32',
  });
  const stored = await new WeightCache({ folder: path.join(folder, 'cache') }).store(weightsKey, graph);
  dispose();
  const packed = path.join(folder, 'packed.onnx');
  const session = { force_spinning_stop: '1', model_external_initializers_file_folder_path: stored.folder };
  const saving = {
    optimized_model_external_initializers_file_name: 'packed.data',
    optimized_model_external_initializers_min_size_in_bytes: '1024',
    save_external_prepacked_constant_initializers: '1',
  };
  const common = { executionProviders: ['cpu'], logSeverityLevel: 4 } as const;
  const begin = performance.now();
  const opened =
    form === 'packed'
      ? await ort.InferenceSession.create(packed, {
          ...common,
          graphOptimizationLevel: 'disabled',
          extra: { session: { force_spinning_stop: '1' } },
        })
      : await ort.InferenceSession.create(stored.model, {
          ...common,
          graphOptimizationLevel: 'all',
          ...(form === 'saving' && { optimizedModelFilePath: packed }),
          extra: { session: { ...session, ...(form === 'saving' && saving) } },
        });
  const openSeconds = (performance.now() - begin) / 1000;
  const privateAfterOpening = privateBytes();
  const feeds = Object.fromEntries(
    opened.inputMetadata.map((input, i): [string, ort.Tensor] => {
      if (!input.isTensor) throw new Error(`${input.name} is no tensor`);
      const dims = input.shape as number[];
      const data = new RandomStream([i]).fillNormal(new Float32Array(elementCount(dims)));
      return [input.name, new ort.Tensor('float32', input.name === 'timestep' ? [499] : data, dims)];
    }),
  );
  let result = new Float32Array();
  let runSeconds = 0;
  // The first run warms up.
  for (let i = 0; i < 2; i++) {
    const start = performance.now();
    result = Object.values(await opened.run(feeds))[0]!.data as Float32Array<ArrayBuffer>;
    runSeconds = (performance.now() - start) / 1000;
  }
  writeFileSync(path.join(folder, `${form}.bin`), result);
  return { openSeconds, privateBytes: privateAfterOpening, runSeconds, privateAfterRun: privateBytes() };
}

if (values.form !== undefined) {
  console.log(JSON.stringify(await measure(values.form as Form, values.folder!)));
} else {
  const folder = mkdtempSync(path.join(tmpdir(), 'prepacked-'));
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
  try {
    const rows = FORMS.map((form) => {
      const { bundle, network, frames } = values;
      const args = ['--bundle', bundle!, '--network', network, '--frames', frames, '--folder', folder];
      const script = fileURLToPath(import.meta.url);
      const text = execFileSync(process.execPath, ['--import=tsx', script, ...args, '--form', form]);
      const found = JSON.parse(text.toString()) as Measured;
      const same = readFileSync(path.join(folder, `${form}.bin`)).equals(
        readFileSync(path.join(folder, 'plain.bin')),
      );
      const row = [
        { plain: 'as the program opens it', saving: 'the same, and saving it', packed: 'saved' }[form],
        `${found.openSeconds.toFixed(1)} s`,
        gigabytes(found.privateBytes),
        `${found.runSeconds.toFixed(1)} s`,
        gigabytes(found.privateAfterRun),
        same ? 'the same' : 'others',
      ];
      console.error(row.join(' | '));
      return row;
    });
    const sizeOf = (name: string): number => statSync(path.join(folder, name)).size;
    const cached = readdirSync(path.join(folder, 'cache'), { recursive: true, encoding: 'utf8' });
    const plain = cached.reduce((sum, name) => sum + sizeOf(path.join('cache', name)), 0);
    const header = ['graph', 'open', 'private memory', 'second run', 'private memory then', 'numbers'];
    await writeReport(values.output, [
      '# Keeping graphs as the engine has packed them',
      '',
      `${values.network}, windows of ${values.frames} frames, ONNX Runtime ${ort.env.versions.node}, ${availableParallelism()} cores, ${cpus()[0]?.model.trim()}.`,
      `Weights take ${gigabytes(plain)}, the packed graph ${gigabytes(sizeOf('packed.data'))} more.`,
      '',
      markdownTable(header, rows),
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The machine and the versions that figures belong to. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import type { FfmpegInfo } from '../media/ffmpeg-path.ts';

/** What a figure depends on besides the program's own settings. */
export interface MachineFacts {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  /** Processes that wanted to run in the minute before; above 0 at the start, others share the machine. 0 on Windows. */
  readonly load: number;
  readonly device: string;
  /** Threads of the engine; null for one for each core. */
  readonly threads: number | null;
  readonly versions: {
    readonly program: string;
    readonly node: string;
    readonly onnxruntime: string;
    readonly ffmpeg: string;
  };
}

function versionOf(manifest: string | URL): string {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

/** Looks at this machine. */
export function examineMachine(
  device: string,
  threads: number | undefined,
  ffmpeg?: Pick<FfmpegInfo, 'version'>,
): MachineFacts {
  const require = createRequire(import.meta.url);
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${platform()} ${release()} ${arch()}`,
    load: loadavg()[0]!,
    device,
    threads: threads ?? null,
    versions: {
      program: versionOf(new URL('../../package.json', import.meta.url)),
      node: process.versions.node,
      onnxruntime: versionOf(require.resolve('onnxruntime-node/package.json')),
      ffmpeg: ffmpeg?.version ?? 'none',
    },
  };
}

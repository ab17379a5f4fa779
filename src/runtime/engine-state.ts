/** What a graph depends on that the engine has optimised: the runtime, and the processor, whose instructions some nodes are made for. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';

let state: Promise<string> | undefined;

/** Another one where the engine may make other graphs, or could not run these. */
export function engineState(): Promise<string> {
  state ??= readState();
  return state;
}

async function readState(): Promise<string> {
  const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  const { version } = JSON.parse(await readFile(manifest, 'utf8'));
  return JSON.stringify([version, process.platform, process.arch, await readProcessor()]);
}

/** Linux names instructions, of which a container or an emulator may hide some. */
async function readProcessor(): Promise<string> {
  const info = process.platform === 'linux' ? await readFile('/proc/cpuinfo', 'utf8').catch(() => '') : '';
  const named = info.match(/^(?:model name|flags|CPU part|Features)\s*:.*$/gm) ?? [];
  return [...new Set([os.cpus()[0]?.model, ...named])].join('\n');
}

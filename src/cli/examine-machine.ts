/** Looks at this machine for `doctor`: every finding is independent, a failing one does not hide the others. */
import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeFileProblem } from '../errors.ts';
import { cacheFolder } from '../files/cache-folder.ts';
import { ownUrl } from '../files/own-file.ts';
import { userHome } from '../files/user-home.ts';
import { CONFINED_ADVICE } from '../media/ffmpeg-command.ts';
import { type FfmpegInfo, locateFfmpeg } from '../media/ffmpeg-path.ts';
import { findRefusal } from '../media/ffmpeg-places.ts';
import { EMBEDDED_BUNDLES, listEmbeddedBundles, openBundle, verifyBundle } from '../models/bundle.ts';
import { availableMemory } from '../runtime/available-memory.ts';
import { describeMissing, findCudaRequirements } from '../runtime/cuda-requirements.ts';
import { automaticDevices } from '../runtime/device.ts';
import type { ExecutionProviderInfo } from '../runtime/engine.ts';
import { probeDevices } from '../runtime/probe-devices.ts';
import { WeightCache } from '../weights/weight-cache.ts';
import type { DoctorReport, Finding } from './doctor-report.ts';
import type { ExaminedBundle } from './examine-bundle.ts';
import { formatBytes } from './format.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Of package.json's `engines`. */
const OLDEST_NODE: readonly [major: number, minor: number] = [20, 19];
/** The whole job with the embedded bundle stays below this. */
const WANTED_MEMORY = 1.5e9;
/** A minute of video with its temporary files, generously. */
const WANTED_SPACE = 200e6;
const FACE_FILES = ['face-detector.onnx', 'face-landmarks.onnx', 'face-attention.onnx', 'face-mesh.json'];
const ASSETS = fileURLToPath(ownUrl('../../assets/', import.meta.url));
const INSTALL_RUNTIME =
  'install lcm-portrait again on this machine: of ONNX Runtime, only the libraries for the system that it was installed on are kept';
const REINSTALL = 'install lcm-portrait again: the file belongs to the package';

/**
 * Everything that the main job needs or could use, from Node.js down to free disk space.
 *
 * @param bundle - what is also looked at, see {@link examineBundleUse}.
 */
export async function examineMachine(env: Environment, bundle?: ExaminedBundle): Promise<DoctorReport> {
  const parts = await Promise.all([
    examineNode(process.versions.node, process.platform, process.arch),
    examineProcessor(os.cpus()[0]?.model.trim() ?? '', os.cpus().length, os.availableParallelism()),
    examineMemory(os.totalmem(), process.constrainedMemory?.() ?? 0, availableMemory()),
    examineFfmpeg(env),
    examineProviders(env),
    examineFaceModels(path.join(ASSETS, 'face')),
    listEmbeddedBundles().then(examineBundles),
    examineHome(),
    examineFolder('temporary files', os.tmpdir(), 'set TMPDIR to a folder with room'),
    examineFolder('this folder', process.cwd(), 'write the output to another folder'),
    examineWeightCache(path.join(cacheFolder(env, process.platform, userHome()), 'weights')),
  ]);
  const used =
    bundle === undefined ? [] : await (await import('./examine-bundle.ts')).examineBundleUse(bundle, env);
  return { findings: [...parts.flat(), ...used] };
}

/** Version and platform; the packages with native code decide which platforms work. */
export function examineNode(version: string, platform: string, arch: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNewEnough = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  return {
    topic: 'Node.js',
    verdict: isNewEnough ? 'ok' : 'problem',
    found: `${version} on ${platform} ${arch}`,
    ...(!isNewEnough && { advice: `install Node.js ${OLDEST_NODE.join('.')} or later` }),
    details: { version, platform, arch },
  };
}

/** @param cores - that this process may use, of those that the machine has. */
export function examineProcessor(model: string, all: number, cores: number): Finding {
  const name = model && model !== 'unknown' ? `, ${model}` : '';
  const isLimited = cores < all;
  return {
    topic: 'processor',
    verdict: isLimited ? 'note' : 'ok',
    found: `${cores} ${cores === 1 ? 'core' : 'cores'}${isLimited ? ` of ${all}` : ''}${name}`,
    ...(isLimited && { advice: 'this process may use no more (taskset, cpuset): as many threads are used' }),
    details: { cores, all, model },
  };
}

/** @param limit - of the container or control group, 0 if there is none. */
export function examineMemory(total: number, limit: number, available: number): Finding {
  const size = limit > 0 && limit < total ? limit : total;
  const isEnough = available >= WANTED_MEMORY;
  return {
    topic: 'memory',
    verdict: isEnough ? 'ok' : 'note',
    found: `${formatBytes(available)} available of ${formatBytes(size)}`,
    ...(!isEnough && {
      advice: `close other programs: a job with the embedded bundle may take ${formatBytes(WANTED_MEMORY)}`,
    }),
    details: { available, total: size },
  };
}

async function examineFfmpeg(env: Environment): Promise<Finding[]> {
  try {
    const ffmpeg = await locateFfmpeg({ env });
    const { path: file, source, version, encoders, rejected } = ffmpeg;
    const finding: Finding = {
      topic: 'ffmpeg',
      verdict: 'ok',
      found: `${version}, encoders ${encoders.join(' and ')}, from ${source}: ${file}`,
      details: { path: file, source, version, encoders, rejected },
    };
    return [finding, ...(await examinePlaces(ffmpeg, [process.cwd(), os.tmpdir()]))];
  } catch (error) {
    const [found, ...advice] = messageOf(error).split(/(?<=[a-z)])\. (?=[A-Z])/);
    return [
      {
        topic: 'ffmpeg',
        verdict: 'problem',
        found: found ?? '',
        advice: advice.join('. ') || 'install ffmpeg so that it is on PATH, or set FFMPEG_PATH to its file',
      },
    ];
  }
}

/** Folders that this program may write and ffmpeg may not; none for most. */
export async function examinePlaces(ffmpeg: FfmpegInfo, folders: readonly string[]): Promise<Finding[]> {
  const findings = await Promise.all(
    folders.map(async (folder): Promise<Finding | undefined> => {
      const mayWrite = await access(folder, constants.W_OK).then(
        () => true,
        () => false,
      );
      const said = mayWrite ? await findRefusal(ffmpeg, folder) : undefined;
      if (said === undefined) return undefined;
      const found = `may not write hidden files in ${folder}, says "${said}"`;
      return { topic: 'ffmpeg', verdict: 'note', found, advice: CONFINED_ADVICE, details: { folder } };
    }),
  );
  return findings.filter((finding) => finding !== undefined);
}

async function examineProviders(env: Environment): Promise<Finding[]> {
  try {
    const missing = process.platform === 'linux' ? findCudaRequirements(env).missing : [];
    return describeProviders(await probeDevices(), process.platform, describeMissing(missing));
  } catch (error) {
    const [found, advice = INSTALL_RUNTIME] = messageOf(error).split(/(?<=")\. (?=[A-Z])/);
    return [
      {
        topic: 'ONNX Runtime',
        verdict: 'problem',
        found: found ?? '',
        advice: `${advice}; with a package manager that runs install scripts, set ONNXRUNTIME_NODE_INSTALL=skip, see docs/install.md`,
      },
    ];
  }
}

/** What to do for CUDA; without an NVIDIA GPU, nothing. */
function cudaAdvice(missing: string): string {
  const needed = missing === '' ? '' : `, which needs ${missing}`;
  return `for an NVIDIA GPU${needed}, see “Running on a GPU” in docs/checkpoints.md; without one, nothing to do`;
}

/**
 * One finding for each device; only the CPU is needed.
 *
 * @param missingForCuda - the files that CUDA lacks, and where they come from. @defaultValue not looked for
 */
export function describeProviders(
  providers: readonly ExecutionProviderInfo[],
  platform: NodeJS.Platform,
  missingForCuda = '',
): Finding[] {
  const automatic = automaticDevices(platform).find((device) =>
    providers.some((provider) => provider.device === device && provider.usable),
  );
  return providers.flatMap((provider): Finding[] => {
    const { device, bundled, usable, reason } = provider;
    // Devices of other platforms are no news.
    if (!usable && !bundled && device !== 'cuda' && device !== 'cpu') return [];
    if (!usable && device === 'cuda' && platform !== 'linux' && platform !== 'win32') return [];
    const topic = `device ${device}`;
    const details = { ...provider };
    if (usable) {
      const found = device === automatic ? 'works, and is what auto takes' : 'works';
      return [{ topic, verdict: 'ok', found, details }];
    }
    const found = `does not work: ${shorten(reason ?? 'no reason given')}`;
    const advice = {
      cpu: INSTALL_RUNTIME,
      cuda: cudaAdvice(missingForCuda),
      webgpu: 'needs a GPU with a Vulkan, Metal or Direct3D 12 driver; without one, nothing to do',
      coreml: 'needs macOS on Apple silicon',
      dml: 'needs a GPU with a Direct3D 12 driver',
    }[device];
    return [{ topic, verdict: device === 'cpu' ? 'problem' : 'note', found, advice, details }];
  });
}

/** The part of a native error that says something: without source file, function and assertion. */
function shorten(reason: string): string {
  const line = reason.split('\n')[0]!.replace(/^\/.* was false\. /, '');
  return line.length <= 120 ? line : `${line.slice(0, 119)}…`;
}

/** The detector, the landmarker and the mesh that a portrait's face is found with. */
export async function examineFaceModels(folder: string): Promise<Finding> {
  const topic = 'face models';
  const sizes = await Promise.all(FACE_FILES.map((name) => sizeOf(path.join(folder, name))));
  const missing = FACE_FILES.filter((_, i) => !sizes[i]);
  if (missing.length > 0) {
    return {
      topic,
      verdict: 'problem',
      found: `${missing.join(', ')} missing in ${folder}`,
      advice: REINSTALL,
    };
  }
  const total = sizes.reduce((sum: number, size) => sum + size!, 0);
  return { topic, verdict: 'ok', found: `${FACE_FILES.length} files, ${formatBytes(total)}` };
}

/**
 * Bundles, each opened and its files compared with their hashes.
 *
 * @param bundles - names of embedded ones, or folders.
 */
export async function examineBundles(bundles: readonly string[]): Promise<Finding[]> {
  if (bundles.length === 0) {
    return [
      { topic: 'bundles', verdict: 'problem', found: `none in ${EMBEDDED_BUNDLES}`, advice: REINSTALL },
    ];
  }
  return Promise.all(bundles.map(examineBundle));
}

async function examineBundle(nameOrFolder: string): Promise<Finding> {
  const topic = `bundle ${path.basename(nameOrFolder)}`;
  try {
    const bundle = await openBundle(nameOrFolder);
    await verifyBundle(bundle);
    const { resolution, fps, licence, files, formatVersion } = bundle.description;
    const parts = Object.values(files);
    const bytes = parts.reduce((sum, file) => sum + file.bytes, 0);
    return {
      topic,
      verdict: 'ok',
      found: `${resolution}×${resolution} at ${fps} fps, ${parts.length} files, ${formatBytes(bytes)}, hashes match`,
      details: { folder: bundle.folder, formatVersion, resolution, fps, licence, files: parts.length, bytes },
    };
  } catch (error) {
    return { topic, verdict: 'problem', found: messageOf(error), advice: REINSTALL };
  }
}

/** Whether a folder can be written and has room. */
export async function examineFolder(topic: string, folder: string, advice: string): Promise<Finding> {
  try {
    await access(folder, constants.W_OK);
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const isEnough = free >= WANTED_SPACE;
    return {
      topic,
      verdict: isEnough ? 'ok' : 'note',
      found: `${formatBytes(free)} free in ${folder}`,
      ...(!isEnough && { advice }),
      details: { folder, free },
    };
  } catch (error) {
    return { topic, verdict: 'note', found: `cannot be written: ${folder}, ${problemOf(error)}`, advice };
  }
}

/**
 * The user's folder, which caches and bundles are kept in.
 *
 * @param home - throws, or is empty, where there is none.
 */
export async function examineHome(home: () => string = os.homedir): Promise<Finding> {
  const topic = 'home folder';
  const advice = 'set LCM_PORTRAIT_HOME and LCM_PORTRAIT_CACHE to folders that stay, for bundles and caches';
  const folder = userHome(home);
  if (path.dirname(folder) === os.tmpdir()) {
    return { topic, verdict: 'note', found: `none: ${folder} takes its place`, advice };
  }
  return access(folder, constants.W_OK).then(
    (): Finding => ({ topic, verdict: 'ok', found: folder }),
    (error: unknown): Finding => ({
      topic,
      verdict: 'note',
      advice,
      found: `cannot be written: ${folder}, ${problemOf(error)}`,
    }),
  );
}

/** Weights of large bundles that are kept between runs; they can be deleted at any time. */
export function examineWeightCache(folder: string): Finding {
  const { entries, bytes } = new WeightCache({ folder }).contents();
  return {
    topic: 'weight cache',
    verdict: 'ok',
    found:
      entries === 0
        ? `empty, in ${folder}`
        : `${formatBytes(bytes)} for ${entries} ${entries === 1 ? 'network' : 'networks'} in ${folder}`,
    details: { folder, entries, bytes },
  };
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    const stats = await stat(file);
    return stats.isFile() ? stats.size : undefined;
  } catch {
    return undefined;
  }
}

function problemOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not write there';
  return code === 'EROFS' ? 'which is read-only' : describeFileProblem(error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

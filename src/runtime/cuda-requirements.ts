/** What the CUDA device needs besides ONNX Runtime's package, and what of it is here; looks for files, loads nothing. */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** A file that is needed. */
interface CudaPart {
  readonly file: string;
  /** Where it comes from. */
  readonly from: string;
}

/**
 * Libraries on the loader's path; the provider is linked to those of CUDA 13, and opens cuDNN when it runs. The driver's brings
 * no package of CUDA.
 */
const LIBRARIES: readonly CudaPart[] = [
  { file: 'libcudart.so.13', from: 'CUDA 13' },
  { file: 'libcublas.so.13', from: 'CUDA 13' },
  { file: 'libcublasLt.so.13', from: 'CUDA 13' },
  { file: 'libcurand.so.10', from: 'CUDA 13' },
  { file: 'libcudnn.so.9', from: 'cuDNN 9 for CUDA 13' },
];
/** The first version that CUDA 13 runs on. */
const MIN_DRIVER = 580;
const DRIVER: CudaPart = {
  file: 'libcuda.so.1',
  from: `the NVIDIA driver, version ${MIN_DRIVER} or later`,
};
const INSTALL_PROVIDER = 'ONNXRUNTIME_NODE_INSTALL=1 node node_modules/onnxruntime-node/script/install.js';
/** The provider, and what it is loaded with. */
const PROVIDER: readonly CudaPart[] = [
  { file: 'libonnxruntime_providers_shared.so', from: INSTALL_PROVIDER },
  { file: 'libonnxruntime_providers_cuda.so', from: INSTALL_PROVIDER },
];
/** Where distributions and CUDA's installer put libraries. */
const FOLDERS: readonly string[] = [
  '/lib/x86_64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/lib64',
  '/usr/lib',
  '/usr/local/lib',
  '/usr/local/cuda/lib64',
  '/usr/local/cuda-13/lib64',
  '/usr/local/nvidia/lib64',
];
const LOADER_CONFIGURATION = '/etc/ld.so.conf.d';

/** What was found of it. */
interface CudaRequirements {
  readonly found: readonly string[];
  readonly missing: readonly CudaPart[];
}

/** Options of {@link findCudaRequirements}. */
interface CudaSearch {
  /** Folders of libraries. @defaultValue those of the loader */
  readonly folders?: readonly string[];
  /** Folder of ONNX Runtime's own libraries. @defaultValue that of the installed package */
  readonly runtimeFolder?: string | undefined;
}

/** Looks for every file that the CUDA device needs on Linux. */
export function findCudaRequirements(
  env: Readonly<Record<string, string | undefined>>,
  { folders = loaderFolders(env), runtimeFolder = findRuntimeFolder() }: CudaSearch = {},
): CudaRequirements {
  const found: string[] = [];
  const missing: CudaPart[] = [];
  const look = (part: CudaPart, places: readonly string[]): string | undefined => {
    const file = places.map((folder) => path.join(folder, part.file)).find((place) => existsSync(place));
    if (file === undefined) missing.push(part);
    else found.push(file);
    return file;
  };
  const driver = look(DRIVER, folders);
  const version = driver && driverVersion(driver);
  if (version !== undefined && Number.parseInt(version, 10) < MIN_DRIVER) {
    found.pop();
    missing.push({ ...DRIVER, from: `${DRIVER.from}; ${version} is installed` });
  }
  for (const library of LIBRARIES) look(library, folders);
  for (const part of PROVIDER) look(part, runtimeFolder === undefined ? [] : [runtimeFolder]);
  return { found, missing };
}

/** The driver's library links to a file that is named after its version, `libcuda.so.580.65.06`; undefined where it does not. */
function driverVersion(file: string): string | undefined {
  return /\.so\.(\d{3,}(\.\d+)*)$/.exec(realpathSync(file))?.[1];
}

/** `libcudart.so.13, … (CUDA 13); libcudnn.so.9 (cuDNN 9 for CUDA 13)`. */
export function describeMissing(missing: CudaRequirements['missing']): string {
  const sources = [...new Set(missing.map(({ from }) => from))];
  return sources
    .map((source) => {
      const files = missing.filter(({ from }) => from === source).map(({ file }) => file);
      return `${files.join(', ')} (${source})`;
    })
    .join('; ');
}

function loaderFolders(env: Readonly<Record<string, string | undefined>>): string[] {
  const asked = (env.LD_LIBRARY_PATH ?? '').split(':').filter((folder) => folder !== '');
  return [...asked, ...configuredFolders(), ...FOLDERS];
}

function configuredFolders(): string[] {
  try {
    return readdirSync(LOADER_CONFIGURATION).flatMap((name) =>
      readFileSync(path.join(LOADER_CONFIGURATION, name), 'utf8')
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line.startsWith('/')),
    );
  } catch {
    return [];
  }
}

function findRuntimeFolder(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
    return path.join(path.dirname(entry), 'bin/napi-v6', process.platform, process.arch);
  } catch {
    return undefined;
  }
}

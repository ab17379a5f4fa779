/**
 * Packs check.ts with all that a Linux machine needs for it that has nothing but a GPU's driver: Node.js, ONNX Runtime, the
 * Vulkan loader and the compiled program. Fails if the archive is larger than 60 MB.
 *
 *   node --import=tsx scripts/bench/gpu/pack.ts     # writes build/gpu-check.tar.xz
 *   tar -xf gpu-check.tar.xz && ./gpu-check/run.sh --device webgpu
 *
 * ONNX Runtime's CUDA provider is 10 times as large as the archive may be: for --device cuda, put
 * libonnxruntime_providers_cuda.so and libonnxruntime_providers_shared.so of the same version next to libonnxruntime.so.1.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const MAX_BYTES = 60e6;
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDER = path.join(ROOT, 'build', 'gpu-check');
const APP = path.join(FOLDER, 'app');
const ARCHIVE = `${FOLDER}.tar.xz`;
const LOADERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib', '/usr/lib/chromium'];

/** Where the driver of an NVIDIA GPU is found by the Vulkan loader; containers often have the library without the file. */
const NVIDIA_DRIVER = {
  file_format_version: '1.0.0',
  ICD: { library_path: 'libGLX_nvidia.so.0', api_version: '1.3.0' },
};
const RUN = `#!/bin/sh
# Measures networks on this machine's GPU; see the head of check.js. Parts that were measured are kept in gpu-check-results.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
export LD_LIBRARY_PATH="$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
if [ -z "$VK_ICD_FILENAMES" ] && ! ls /etc/vulkan/icd.d/*.json /usr/share/vulkan/icd.d/*.json >/dev/null 2>&1; then
  export VK_ICD_FILENAMES="$here/lib/nvidia_icd.json"
fi
exec "$here/bin/node" "$here/app/scripts/bench/gpu/check.js" --output gpu-check-results "$@"
`;

/** Packages that compiled files import, and those that these need. */
function packagesOf(folder: string): Set<string> {
  const found = new Set<string>();
  const add = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    const manifest = JSON.parse(readFileSync(path.join(ROOT, 'node_modules', name, 'package.json'), 'utf8'));
    // ONNX Runtime's others serve its installer.
    const needed =
      name === 'onnxruntime-node' ? ['onnxruntime-common'] : Object.keys(manifest.dependencies ?? {});
    for (const each of needed) add(each);
  };
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.js')) continue;
    const text = readFileSync(path.join(folder, file), 'utf8');
    for (const [, target] of text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'".][^'"]*)['"]/g)) {
      if (isBuiltin(target!)) continue;
      const parts = target!.split('/');
      add(parts.slice(0, target!.startsWith('@') ? 2 : 1).join('/'));
    }
  }
  return found;
}

/** Files of a package that a program on Linux reads. */
function isNeeded(file: string): boolean {
  if (statSync(file).isDirectory())
    return !/\/(bin\/napi-v\d+\/(darwin|win32|linux\/arm64)|script|src)$/.test(file);
  return /\.(c?js|mjs|json|node|so\.1)$/.test(file);
}

rmSync(FOLDER, { recursive: true, force: true });
rmSync(ARCHIVE, { force: true });
mkdirSync(path.join(FOLDER, 'bin'), { recursive: true });
mkdirSync(path.join(FOLDER, 'lib'), { recursive: true });
execFileSync(process.execPath, [
  path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'),
  '-p',
  fileURLToPath(new URL('tsconfig.json', import.meta.url)),
  // npm run typecheck looks at the types.
  '--noCheck',
]);
writeFileSync(path.join(APP, 'package.json'), '{ "type": "module" }\n');
for (const name of packagesOf(APP)) {
  const to = path.join(APP, 'node_modules', name);
  cpSync(path.join(ROOT, 'node_modules', name), to, { recursive: true, filter: isNeeded, dereference: true });
}
const tiny = path.join('assets', 'bundles', 'tiny');
mkdirSync(path.join(APP, tiny), { recursive: true });
copyFileSync(path.join(ROOT, tiny, 'bundle.json'), path.join(APP, tiny, 'bundle.json'));
copyFileSync(process.execPath, path.join(FOLDER, 'bin', 'node'));
const loader = LOADERS.map((folder) => path.join(folder, 'libvulkan.so.1')).find((file) => existsSync(file));
if (loader === undefined) console.error('no libvulkan.so.1 here: the machine has to have one');
else copyFileSync(loader, path.join(FOLDER, 'lib', 'libvulkan.so.1'));
writeFileSync(path.join(FOLDER, 'lib', 'nvidia_icd.json'), JSON.stringify(NVIDIA_DRIVER));
writeFileSync(path.join(FOLDER, 'run.sh'), RUN);
chmodSync(path.join(FOLDER, 'run.sh'), 0o755);
execFileSync('tar', ['-C', path.dirname(FOLDER), '-cJf', ARCHIVE, path.basename(FOLDER)], {
  env: { ...process.env, XZ_OPT: '-1 -T0' },
});
const { size } = statSync(ARCHIVE);
console.log(`${ARCHIVE}: ${(size / 1e6).toFixed(1)} MB`);
if (size > MAX_BYTES) {
  console.error(`larger than ${MAX_BYTES / 1e6} MB`);
  process.exitCode = 1;
}

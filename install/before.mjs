/**
 * Runs before the packages are set up that this one needs, where it is installed as a package itself.
 *
 * On Linux with x64, onnxruntime-node fetches 400 MB for NVIDIA's GPUs from a server of its own when it is installed, and
 * behind a firewall its failure ends the whole installation. Settings that prevent this count in the project at the top only,
 * so that its script is made to fetch when it is asked to, and else to do nothing. Everything that the CPU needs is in the
 * package.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { isDependency } from './is-dependency.mjs';

const MARK = '// lcm-portrait:';
const WRAPPER = `${MARK} fetches files for NVIDIA's GPUs only where ONNXRUNTIME_NODE_INSTALL asks for them.
'use strict';

const { env, argv } = process;
const asked = [
  env.ONNXRUNTIME_NODE_INSTALL,
  env.npm_config_onnxruntime_node_install,
  env.ONNXRUNTIME_NODE_INSTALL_CUDA,
  env.npm_config_onnxruntime_node_install_cuda,
  ...argv.slice(2).filter((argument) => argument.startsWith('--onnxruntime-node-install')),
];
if (asked.some(Boolean)) require('./install-files.js');
`;

try {
  if (isDependency(import.meta.url)) tame();
} catch (error) {
  // Without this, the other package's script decides; this one must not be what ends an installation.
  console.error(`lcm-portrait: onnxruntime-node is left as it is: ${error.message}`);
}

function tame() {
  const folder = findPackage('onnxruntime-node');
  if (folder === undefined) return;
  const script = path.join(folder, 'script', 'install.js');
  if (!existsSync(script) || readFileSync(script, 'utf8').startsWith(MARK)) return;
  renameSync(script, path.join(folder, 'script', 'install-files.js'));
  writeFileSync(script, WRAPPER);
}

/** The folder of a package as this one finds it. */
function findPackage(name) {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  return folders.map((each) => path.join(each, name)).find((each) => existsSync(path.join(each, 'package.json')));
}

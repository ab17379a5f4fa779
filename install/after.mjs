/**
 * Runs after the packages are set up that this one needs, where it is installed as a package itself: onnxruntime-node carries
 * the libraries of five systems, 290 MB, and only those of this one are kept; fluent-ffmpeg a report of its tests, 11 MB.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { isDependency } from './is-dependency.mjs';

try {
  if (isDependency(import.meta.url)) {
    removeTestReport();
    removeOtherSystems();
  }
} catch (error) {
  console.error(`lcm-portrait: libraries of other systems stay: ${error.message}`);
}

function removeTestReport() {
  const report = path.join(path.dirname(createRequire(import.meta.url).resolve('fluent-ffmpeg')), 'coverage');
  rmSync(report, { recursive: true, force: true });
}

function removeOtherSystems() {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  const bin = path.join(path.dirname(entry), '..', 'bin');
  for (const version of readdirSync(bin)) {
    const own = path.join(bin, version, process.platform, process.arch);
    // Another layout than the one that is known is left alone.
    if (!existsSync(path.join(own, 'onnxruntime_binding.node'))) continue;
    removeOthers(path.join(bin, version), process.platform);
    removeOthers(path.dirname(own), process.arch);
  }
}

/** Removes all folders in a folder but one. */
function removeOthers(folder, kept) {
  for (const name of readdirSync(folder)) {
    if (name !== kept) rmSync(path.join(folder, name), { recursive: true, force: true });
  }
}

/** Puts measured ranges next to a bundle's weights, in place of earlier ones. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeDurably } from '../files/write-durably.ts';
import type { Bundle } from '../models/bundle.ts';
import type { BundleDescription } from '../models/bundle-description.ts';
import type { Calibration } from '../models/calibration.ts';
import { writeProblem } from './bundle-folder.ts';

const FILE = 'calibration.json';

/**
 * Writes the ranges and names them in `bundle.json`, which is rewritten as a whole.
 *
 * @returns the file's path.
 * @throws {@link EnvironmentError} if the bundle's folder cannot be written.
 */
export async function storeCalibration({ folder }: Bundle, calibration: Calibration): Promise<string> {
  // A range on one line, as a person would write it.
  const text = `${JSON.stringify(calibration, null, 1).replace(/\[\s+(\S+),\s+(\S+)\s+\]/g, '[$1, $2]')}\n`;
  const manifest = path.join(folder, 'bundle.json');
  const description = JSON.parse(await readFile(manifest, 'utf8')) as BundleDescription;
  const facts = {
    path: FILE,
    bytes: Buffer.byteLength(text),
    sha256: createHash('sha256').update(text).digest('hex'),
  };
  const files = { ...description.files, calibration: facts };
  try {
    await writeDurably(path.join(folder, FILE), text);
    await writeDurably(manifest, `${JSON.stringify({ ...description, files }, null, 2)}\n`);
  } catch (error) {
    throw writeProblem(folder, error);
  }
  return path.join(folder, FILE);
}

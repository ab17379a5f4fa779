/** Portraits and speech that the package carries, to try it with. */
import { readdirSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownUrl } from '../files/own-file.ts';
import { replaceDurably } from '../files/write-durably.ts';

const ASSETS = fileURLToPath(ownUrl('../../assets/', import.meta.url));
const PREFIX = 'sample:';

/** A file of the package, used as an upload is. */
export interface Sample {
  readonly kind: 'picture' | 'sound';
  /** `sample:ada.jpg` */
  readonly id: string;
  readonly name: string;
  readonly path: string;
}

function samplesIn(folder: string, extensions: RegExp, kind: Sample['kind']): Sample[] {
  return readdirSync(path.join(ASSETS, folder))
    .filter((name) => extensions.test(name))
    .sort()
    .map((name) => ({ id: `${PREFIX}${name}`, name, path: path.join(ASSETS, folder, name), kind }));
}

let samples: readonly Sample[] | undefined;

/** All samples. */
export function listSamples(): readonly Sample[] {
  samples ??= [
    ...samplesIn('portraits', /\.jpg$/, 'picture'),
    ...samplesIn('speech', /\.(wav|flac)$/, 'sound'),
  ];
  return samples;
}

/** The sample of an id. */
export function findSample(id: string): Sample | undefined {
  return listSamples().find((sample) => sample.id === id);
}

/** Copies all samples into a folder, for those who do not see the package. */
export async function copySamples(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { name, path: file } of listSamples()) {
    const target = path.join(folder, name);
    const [wanted, found] = [await readFile(file), await readFile(target).catch(() => undefined)];
    if (found === undefined || !wanted.equals(found)) {
      await replaceDurably(target, (handle) => handle.writeFile(wanted));
    }
  }
}

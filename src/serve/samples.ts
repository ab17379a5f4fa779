/** Portraits and speech that the package carries, to try it with. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownUrl } from '../files/own-file.ts';
import type { UploadFacts } from './upload-store.ts';

const ASSETS = fileURLToPath(ownUrl('../../assets/', import.meta.url));
const PREFIX = 'sample:';

/** A file of the package, used as an upload is. */
export interface Sample extends Pick<UploadFacts, 'kind'> {
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

/** A clip as a job: ids become paths here, and paths become names again in what clients are told. */
import path from 'node:path';
import type { BatchJob } from '../jobs/manifest.ts';
import { withPaths } from '../pipeline/options/clip-keys.ts';
import type { ClipRequest } from './clip-request.ts';
import { findSample } from './samples.ts';
import type { UploadStore } from './upload-store.ts';

/** How often a clip is begun when it fails for a reason that can pass. */
const ATTEMPTS = 3;

/** What a job has beside the client's options. */
export interface JobPlaces {
  readonly uploads: UploadStore;
  /** Of the clip. */
  readonly folder: string;
  readonly bundleStore: string | undefined;
  readonly ffmpegPath: string | undefined;
}

/** The video of a clip. */
export function videoOf(folder: string): string {
  return path.join(folder, 'video.mp4');
}

/** The video of a clip that is being rendered. */
export function liveOf(folder: string): string {
  return path.join(folder, 'live.mp4');
}

/** Where a file of a request lies; undefined if it was removed meanwhile. */
export function locateFile(id: string, uploads: UploadStore): string | undefined {
  const upload = uploads.get(id);
  return upload === undefined ? findSample(id)?.path : uploads.pathOf(upload);
}

/** The options of a clip with paths in place of ids. A file that is gone keeps a name that leads nowhere. */
export function clipOptions(
  { options }: ClipRequest,
  { uploads, folder, bundleStore, ffmpegPath }: JobPlaces,
): BatchJob['options'] {
  const missing = path.join(folder, 'removed');
  const located = withPaths(options, (id, { to }) => {
    if (to === 'name') return locateFile(id, uploads) ?? id; // a name, of a bundle or a template
    return locateFile(id, uploads) ?? missing;
  });
  return {
    ...located,
    output: videoOf(folder),
    ...(bundleStore !== undefined && { bundleStore }),
    ...(ffmpegPath !== undefined && { ffmpegPath }),
  };
}

/** The job of a clip. */
export function clipJob(id: string, index: number, request: ClipRequest, places: JobPlaces): BatchJob {
  return {
    ...{ index, name: id, place: '', priority: 0, attempts: ATTEMPTS },
    options: clipOptions(request, places),
    livePath: liveOf(places.folder),
  };
}

/** A message without the server's paths: files have the names that the client gave them. */
export function forClient(
  message: string,
  { files }: ClipRequest,
  uploads: UploadStore,
  folder: string,
): string {
  let text = message;
  for (const { id, name } of files) {
    const file = locateFile(id, uploads);
    if (file !== undefined) text = text.replaceAll(file, name);
  }
  return text.replaceAll(`${folder}${path.sep}`, '');
}

/** A clip as a job: ids become paths here, and paths become names again in what clients receive. */
import path from 'node:path';
import type { BatchJob } from '../jobs/manifest.ts';
import { withPaths } from '../pipeline/options/clip-keys.ts';
import { type ClipFormat, DEFAULT_FORMAT } from './clip-format.ts';
import type { ClipRequest } from './clip-request.ts';
import type { UploadStore } from './upload-store.ts';

/** How often a clip is begun when it fails for a reason that can pass. */
const ATTEMPTS = 3;

/** What a job has in addition to the client's options. */
export interface JobPlaces {
  readonly uploads: UploadStore;
  /** Of the clip. */
  readonly folder: string;
  readonly bundleStore: string | undefined;
  readonly ffmpegPath: string | undefined;
}

/** The video of a clip. */
export function videoOf(folder: string, format: ClipFormat): string {
  return path.join(folder, `video.${format}`);
}

/** The video of a clip that is being rendered. */
export function liveOf(folder: string): string {
  return path.join(folder, 'live.mp4');
}

/** The options of a request with paths in place of ids. A file that is gone keeps a name that leads nowhere. */
export function withLocations(
  { options }: ClipRequest,
  { uploads, folder, bundleStore, ffmpegPath }: JobPlaces,
): Record<string, unknown> {
  const missing = path.join(folder, 'removed');
  const located = withPaths(options, (id, { to }) => {
    if (to === 'name') return uploads.locate(id) ?? id; // a name, of a bundle or a template
    return uploads.locate(id) ?? missing;
  });
  return {
    ...located,
    ...(bundleStore !== undefined && { bundleStore }),
    ...(ffmpegPath !== undefined && { ffmpegPath }),
  };
}

/** The options of a clip, as the library takes them. */
export function clipOptions(request: ClipRequest, places: JobPlaces): BatchJob['options'] {
  const output = videoOf(places.folder, request.format ?? DEFAULT_FORMAT);
  return { ...withLocations(request, places), output };
}

/** The job of a clip. */
export function clipJob(id: string, index: number, request: ClipRequest, places: JobPlaces): BatchJob {
  return {
    index,
    name: id,
    place: '',
    priority: 0,
    attempts: ATTEMPTS,
    options: clipOptions(request, places),
    livePath: liveOf(places.folder),
  };
}

/** A message without the server's paths: files have the names that the client gave them. */
export function forClient(
  message: string,
  { files }: ClipRequest,
  { uploads, folder }: Pick<JobPlaces, 'uploads' | 'folder'>,
): string {
  let text = message;
  for (const { id, name } of files) {
    const file = uploads.locate(id);
    if (file !== undefined) text = text.replaceAll(file, name);
  }
  return text.replaceAll(`${folder}${path.sep}`, '').replaceAll(folder, 'the folder of the server');
}

/** The field whose file a message names. */
export function fieldOf(message: string, request: ClipRequest, places: JobPlaces): string | undefined {
  const located = withLocations(request, places);
  return Object.keys(request.options).find((key) => {
    const value = located[key];
    return typeof value === 'string' && path.isAbsolute(value) && message.includes(value);
  });
}

/** The picture of a clip: of its video when that is there, before of its portrait; made once. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { writeDurably } from '../files/write-durably.ts';
import { Thumbnails } from '../jobs/thumbnail.ts';
import { orderFolder } from './board.ts';
import type { Clip } from './clip.ts';
import { videoOf } from './clip-job.ts';
import type { ServerState } from './server-state.ts';

/** Longer side, in pixels. */
const SIDE = 480;

const making = new Map<string, Promise<string | undefined>>();

/** The picture's file; undefined where there is nothing to show. */
export function previewOf(clip: Clip, state: ServerState): Promise<string | undefined> {
  const isDone = clip.state === 'succeeded';
  const target = path.join(orderFolder(state.data, clip), isDone ? 'preview.jpg' : 'portrait.jpg');
  let made = making.get(target);
  if (made === undefined) {
    made = makePreview(target, clip, state).finally(() => making.delete(target));
    making.set(target, made);
  }
  return made;
}

async function makePreview(target: string, clip: Clip, state: ServerState): Promise<string | undefined> {
  const isThere = await access(target).then(
    () => true,
    () => false,
  );
  if (isThere) return target;
  const { ffmpegPath } = state.options;
  const thumbnails = new Thumbnails(ffmpegPath === undefined ? {} : { FFMPEG_PATH: ffmpegPath }, SIDE);
  const { portrait, source } = clip.record.request.options as { portrait?: string; source?: string };
  const picture = state.uploads.locate(portrait ?? '');
  const film = state.uploads.locate(source ?? '');
  const bytes =
    clip.state === 'succeeded'
      ? await pictureOf(clip, path.dirname(target), thumbnails)
      : picture !== undefined
        ? await thumbnails.ofPortrait(picture)
        : film && (await thumbnails.ofVideo(film));
  if (bytes === undefined) return undefined;
  await writeDurably(target, bytes);
  return target;
}

/** ffmpeg cannot read animated WebP; the library of pictures reads the first picture of it. */
function pictureOf(
  { format }: Clip,
  folder: string,
  thumbnails: Thumbnails,
): Promise<Uint8Array | undefined> {
  const video = videoOf(folder, format);
  return format === 'webp' ? thumbnails.ofPortrait(video) : thumbnails.ofVideo(video);
}

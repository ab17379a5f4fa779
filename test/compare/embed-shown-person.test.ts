import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { embedShownPerson } from '../../src/compare/embed-shown-person.ts';
import { MediaError } from '../../src/errors.ts';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { loadImage } from '../../src/image/load-image.ts';
import { resizeImage } from '../../src/image/resize.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { findFfmpeg } from '../../src/pipeline/machine-places.ts';
import { onCanvas, writeFilm } from '../helpers/drawn-film.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

const LIMIT = { timeout: 120_000 };
const PORTRAIT = new URL('../../assets/portraits/ada.jpg', import.meta.url).pathname;
const SIZE = 192;
let folder: string;
let finder: FaceFinder;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'shown-'));
  finder = await FaceFinder.open(loadOrtNetwork);
});
after(async () => {
  await finder.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** Says what it was shown: how wide the picture was, and how far the eyes were apart in it. */
const embedder = {
  seen: 0,
  async embed(picture: RgbImage, landmarks: Float64Array): Promise<Float32Array> {
    this.seen++;
    const apart = Math.hypot(...[0, 1].map((axis) => landmarks[3 * 263 + axis]! - landmarks[3 * 33 + axis]!));
    return Float32Array.of(picture.width, apart / picture.width);
  },
};

const film = async (name: string, frames: readonly RgbImage[]): Promise<string> =>
  writeFilm(await findFfmpeg(undefined), path.join(folder, name), frames, 25, ['-c:v', 'mjpeg', '-q:v', '2']);

test('a portrait is embedded as it is', LIMIT, async () => {
  const found = await embedShownPerson({ portrait: PORTRAIT }, finder, embedder);
  assert.equal(found?.[0], (await loadImage(PORTRAIT)).width);
});

test('of a film that gets another voice, the first frame with a face is embedded', LIMIT, async () => {
  const empty = onCanvas(SIZE, SIZE, []);
  const person = resizeImage(await loadImage(PORTRAIT), SIZE, SIZE);
  const source = await film('late.avi', [empty, empty, empty, person, person]);
  embedder.seen = 0;
  const found = await embedShownPerson({ source }, finder, embedder);
  const portrait = await embedShownPerson({ portrait: PORTRAIT }, finder, embedder);
  assert.equal(embedder.seen, 2);
  assert.equal(found?.[0], SIZE);
  assert.ok(Math.abs(found![1]! - portrait![1]!) < 0.02, `${found![1]}, portrait ${portrait![1]}`);
});

test('a film without a face is looked at for a second and no longer', LIMIT, async () => {
  const empty = onCanvas(64, 64, []);
  const source = await film(
    'empty.avi',
    Array.from({ length: 40 }, () => empty),
  );
  let looked = 0;
  const blind = {
    findPortrait: async () => {
      looked++;
      return [];
    },
  };
  assert.equal(await embedShownPerson({ source }, blind, embedder), undefined);
  assert.equal(looked, 25);
});

test('a film that is no film is refused by name', LIMIT, async () => {
  await assert.rejects(
    embedShownPerson({ source: path.join(folder, 'none.mp4') }, finder, embedder),
    MediaError,
  );
});

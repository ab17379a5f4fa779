import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Square } from '../../src/face/crop.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import type { FilmFrames } from '../../src/media/film-frames.ts';
import { MeshSequence } from '../../src/motion/mesh-sequence.ts';
import { changeStrength, filmFrameOf, openFilmSource } from '../../src/scene/film-source.ts';
import type { FaceTrack } from '../../src/tracking/track-film.ts';

const FRAMES = 60;

/** A face that wanders to the right, with jitter of the tracker on top; out of sight in frames 30 and 31. */
function trackOf(cuts: readonly number[] = []): FaceTrack {
  const meshes = new MeshSequence();
  const poses = new Float32Array(FRAMES * 6);
  const seen = new Uint8Array(FRAMES).fill(1);
  for (let frame = 0; frame < FRAMES; frame++) {
    meshes.append(loadFaceMesh().vertices);
    const x = 0.1 * frame + (frame % 2 === 0 ? 0.05 : -0.05);
    poses.set([0, 0, 0, x, 0, -60], 6 * frame);
  }
  seen.fill(0, 30, 32);
  const rest = { frame: 5, pose: poses.slice(30, 36), mesh: Float32Array.from(loadFaceMesh().vertices) };
  const origin = { name: 'film.mp4', sha256: null };
  return { fps: 25, frames: FRAMES, poses, meshes, rest, origin, seen, cuts, aspect: 4 / 3 };
}

/** Pictures that say their number in their first byte. */
const frames = {
  at: async (frame: number): Promise<RgbImage> => ({
    data: new Uint8Array(641 * 481 * 3).fill(frame),
    width: 641,
    height: 481,
  }),
} as unknown as FilmFrames;

const open = (track: FaceTrack) =>
  openFilmSource({
    frames,
    track,
    makePosable: (image, _face, square) => ({ shows: image.data[0]!, square }),
  });

test('a clip longer than the film goes back and forth', () => {
  const shown = Array.from({ length: 9 }, (_, frame) => filmFrameOf(frame, 4));
  assert.deepEqual(shown, [0, 1, 2, 3, 2, 1, 0, 1, 2]);
  assert.deepEqual(
    [0, 1, 2].map((frame) => filmFrameOf(frame, 1)),
    [0, 0, 0],
  );
});

test('changes fade out before frames without the face, and in behind them', () => {
  const track = trackOf();
  const strengths = [26, 27, 28, 29, 30, 31, 32, 33, 34, 35].map((frame) => changeStrength(track, frame));
  assert.deepEqual(strengths, [1, 0.75, 0.5, 0.25, 0, 0, 0.25, 0.5, 0.75, 1]);
});

test('each frame starts from its own picture; where no face is seen, from the picture alone', async () => {
  const source = await open(trackOf());
  assert.deepEqual([source.width, source.height], [640, 480]);
  assert.equal(source.reference.shows, 5);
  const shown = await source.at(40);
  assert.equal(shown.face?.shows, 40);
  assert.equal(shown.picture.data[0], 40);
  assert.equal((await source.at(30)).face, undefined);
  assert.equal((await source.at(FRAMES)).face?.shows, FRAMES - 2);
});

async function squaresOf(track: FaceTrack): Promise<Square[]> {
  const source = await open(track);
  const squares: Square[] = [];
  for (let frame = 0; frame < FRAMES; frame++) {
    const { face } = await source.at(frame);
    if (face !== undefined) squares.push(face.square);
  }
  return squares;
}

test('the square keeps its size and follows the face without its jitter', async () => {
  const squares = await squaresOf(trackOf());
  assert.equal(new Set(squares.map(({ side }) => side)).size, 1);
  for (let i = 1; i < squares.length; i++) assert(squares[i]!.x >= squares[i - 1]!.x, `frame ${i}`);
  assert(squares.at(-1)!.x - squares[0]!.x > 20);
});

test('at a cut the square jumps with the scene', async () => {
  const track = trackOf([20]);
  for (let frame = 20; frame < FRAMES; frame++) track.poses[6 * frame + 3]! -= 8;
  const squares = await squaresOf(track);
  assert(squares[19]!.x - squares[20]!.x > 40, 'the step');
  assert(Math.abs(squares[18]!.x - squares[19]!.x) < 5, 'nothing of it before');
});

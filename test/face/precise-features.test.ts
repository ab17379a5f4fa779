import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { PRECISE_LANDMARKS, withPreciseFeatures } from '../../src/face/precise-features.ts';
import { loadImage } from '../../src/image/load-image.ts';
import { drawFace } from '../helpers/drawn-face.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

const { vertices, triangles } = loadFaceMesh();
/** The canonical face as a camera far away sees it, in pixels of which 20 are a centimetre. */
const plain = Float64Array.from(vertices, (value, i) => (i % 3 === 1 ? -20 : 20) * value + 200);

/** Twice the signed areas of the triangles in the picture's plane. */
function areas(points: ArrayLike<number>): Float64Array {
  const at = (corner: number, axis: number): number => points[3 * triangles[corner]! + axis]!;
  return Float64Array.from({ length: triangles.length / 3 }, (_, t) => {
    const [a, b, c] = [3 * t, 3 * t + 1, 3 * t + 2];
    return (at(b, 0) - at(a, 0)) * (at(c, 1) - at(a, 1)) - (at(b, 1) - at(a, 1)) * (at(c, 0) - at(a, 0));
  });
}

let finder: FaceFinder;
before(async () => {
  finder = await FaceFinder.open(loadOrtNetwork);
});
after(() => finder.dispose());

test('landmarks that both networks see at the same place stay', () => {
  assert.deepEqual(withPreciseFeatures(plain, plain), plain);
});

test('lips and eyes are where the attention mesh has them, depths and what is far away as they were', () => {
  const precise = plain.map((value, i) => value + [7, -9, 50][i % 3]!);
  const joined = withPreciseFeatures(plain, precise);
  const moved = new Set(PRECISE_LANDMARKS);
  assert.equal(moved.size, 80 + 71 + 71);
  for (let vertex = 0; vertex < 468; vertex++) {
    const source = moved.has(vertex) ? precise : joined;
    assert.deepEqual(
      joined.subarray(3 * vertex, 3 * vertex + 2),
      source.subarray(3 * vertex, 3 * vertex + 2),
    );
    assert.equal(joined[3 * vertex + 2], plain[3 * vertex + 2]);
  }
  for (const far of [10, 152]) assert.equal(joined[3 * far + 1], plain[3 * far + 1], `landmark ${far}`);
});

test('skin below a lip that stands lower goes along, and folds nowhere', () => {
  // A lower lip lower by a whole centimetre, and thrice as far from the upper one as the skin below it was from its edge.
  const lower = new Set([
    14, 15, 16, 17, 84, 85, 86, 87, 178, 179, 180, 181, 314, 315, 316, 317, 402, 403, 404, 405,
  ]);
  const precise = plain.map((value, i) => (lower.has(Math.floor(i / 3)) && i % 3 === 1 ? value + 20 : value));
  const [before, whole, part] = [plain, withPreciseFeatures(plain, precise), precise].map(areas);
  const folded = (after: Float64Array): number =>
    before!.filter((area, t) => Math.abs(area) > 4 && Math.sign(after[t]!) !== Math.sign(area)).length;
  assert.ok(folded(part!) > 0, 'without the skin around it, the mesh folds');
  assert.equal(folded(whole!), 0);
});

for (const mouth of [0, 16]) {
  test(`lips of a portrait that are drawn ${1.2 * mouth} px apart are found so, and its mesh does not fold`, async () => {
    const image = await drawFace(512, { mouth });
    const [[found], [coarse]] = [await finder.findPortrait(image), await finder.find(image)];
    const opening = found!.landmarks[3 * 14 + 1]! - found!.landmarks[3 * 13 + 1]!;
    assert.ok(Math.abs(opening - 1.2 * mouth) < 5, `${opening} px`);
    const [before, joined] = [areas(coarse!.landmarks), areas(found!.landmarks)];
    const skin = joined.filter((area, t) => Math.abs(before[t]!) > 30 && area * before[t]! < 0);
    assert.equal(skin.length, 0);
  });
}

test('the sample portraits have closed lips', async () => {
  for (const name of ['ada', 'ben', 'cleo']) {
    const image = await loadImage(
      fileURLToPath(new URL(`../../assets/portraits/${name}.jpg`, import.meta.url)),
    );
    const { landmarks } = (await finder.findPortrait(image))[0]!;
    const y = (landmark: number): number => landmarks[3 * landmark + 1]!;
    assert.ok(Math.abs(y(14) - y(13)) < 0.01 * (y(152) - y(10)), `${name}: ${y(14) - y(13)} px`);
  }
});

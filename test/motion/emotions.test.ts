import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError } from '../../src/errors.ts';
import { type EmotionName, type Emotions, faceEmotion, parseEmotions } from '../../src/motion/emotions.ts';
import { CANONICAL, distance, moved } from './face-fixture.ts';

/** Along the upper and the lower inner lip. */
const UPPER = [191, 80, 81, 82, 13, 312, 311, 310, 415];
const LOWER = [95, 88, 178, 87, 14, 317, 402, 318, 324];
const NAMES: readonly EmotionName[] = ['happy', 'sad', 'angry', 'surprised'];

test('emotions are read with and without strengths, one or several', () => {
  assert.deepEqual(parseEmotions('happy:0.6'), { happy: 0.6 });
  assert.deepEqual(parseEmotions('smile'), { happy: 1 });
  assert.deepEqual(parseEmotions('sad:.5, surprised:0.25'), { sad: 0.5, surprised: 0.25 });
  assert.deepEqual(parseEmotions('angry:0'), { angry: 0 });
});

for (const text of [
  '',
  'joy',
  'happy:2',
  'happy:-1',
  'happy:',
  'happy:a',
  'happy:0.5:1',
  'happy,smile',
  'Happy;sad',
  'toString',
]) {
  test(`${JSON.stringify(text)} is refused, with what would be right`, () => {
    assert.throws(
      () => parseEmotions(text),
      (error) =>
        error instanceof InvalidOptionError && error.option === 'emotion' && /happy:0\.6/.test(error.message),
    );
  });
}

for (const emotions of [
  ...NAMES.map((name) => ({ [name]: 1 })),
  { happy: 0.6, surprised: 0.4 },
] as Emotions[]) {
  test(`lips that are closed stay closed with ${JSON.stringify(emotions)}`, () => {
    // A mouth that P, B or M has closed.
    const closed = Float64Array.from(CANONICAL);
    UPPER.forEach((upper, i) => {
      for (let axis = 0; axis < 3; axis++) {
        const mean = (closed[3 * upper + axis]! + closed[3 * LOWER[i]! + axis]!) / 2;
        closed[3 * upper + axis] = mean;
        closed[3 * LOWER[i]! + axis] = mean;
      }
    });
    const shown = moved(closed, faceEmotion(CANONICAL, emotions).field);
    for (const [i, upper] of UPPER.entries()) assert.ok(distance(shown, upper, LOWER[i]!) < 1e-6);
  });
}

test('every emotion shows where it should', () => {
  const fieldOf = (name: EmotionName) => faceEmotion(CANONICAL, { [name]: 1 });
  const y = (field: Float32Array, vertex: number): number => field[3 * vertex + 1]!;
  const happy = fieldOf('happy');
  for (const corner of [61, 291]) {
    assert.ok(y(happy.field, corner) > 0.3);
    assert.ok(Math.sign(CANONICAL[3 * corner]!) * happy.field[3 * corner]! > 0.25);
    assert.ok(y(fieldOf('sad').field, corner) < -0.25);
  }
  assert.ok(happy.lids > 0);
  assert.ok(fieldOf('sad').brows.rightInner > 0.2 && fieldOf('sad').brows.rightOuter < 0);
  assert.ok(fieldOf('angry').brows.furrow > 0.2);
  assert.ok(fieldOf('surprised').brows.leftOuter > 0.4 && fieldOf('surprised').lids < 0);
});

test('strength scales an emotion, and the eyes and the edge of the face stay', () => {
  const [half, whole] = [0.5, 1].map((strength) => faceEmotion(CANONICAL, { happy: strength }).field);
  for (const [i, value] of half!.entries()) assert.ok(Math.abs(value - whole![i]! / 2) < 1e-6);
  for (const vertex of [33, 133, 159, 145, 10, 168]) {
    for (let axis = 0; axis < 3; axis++) assert.ok(Math.abs(whole![3 * vertex + axis]!) < 0.06);
  }
});

test('a portrait that smiles already smiles less', () => {
  const smiling = Float64Array.from(CANONICAL);
  smiling[3 * 61]! -= 0.6;
  smiling[3 * 291]! += 0.6;
  const [usual, broad] = [CANONICAL, smiling].map(
    (mesh) => faceEmotion(mesh, { happy: 1 }).field[3 * 61 + 1]!,
  );
  assert.ok(broad! < 0.8 * usual! && broad! > 0.2 * usual!);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBrowMotion } from '../../src/motion/brow-motion.ts';
import { type BrowMove, BrowShapes } from '../../src/motion/brow-shapes.ts';
import { Prosody } from '../../src/motion/prosody.ts';
import { CANONICAL } from './face-fixture.ts';
import { deviation, median, SAMPLE_RATE, speak } from './speech-fixture.ts';

const REST: BrowMove = { rightInner: 0, rightOuter: 0, leftInner: 0, leftOuter: 0, furrow: 0 };
const shapes = new BrowShapes(CANONICAL);
/** Landmarks of both brows, the right one first. */
const BROWS = [
  [70, 63, 105, 66, 107, 46, 53, 52, 65, 55],
  [300, 293, 334, 296, 336, 276, 283, 282, 295, 285],
];

function heights(move: Partial<BrowMove>): (vertex: number) => number {
  const offsets = new Float32Array(CANONICAL.length);
  shapes.add({ ...REST, ...move }, offsets);
  return (vertex) => offsets[3 * vertex + 1]!;
}

test('raised brows go up wholly; lids, nose and the edge of the face stay', () => {
  const up = heights({ rightInner: 1, rightOuter: 1, leftInner: 1, leftOuter: 1 });
  for (const vertex of BROWS.flat())
    assert.ok(up(vertex) > 0.6 && up(vertex) <= 1.01, `${vertex}: ${up(vertex)}`);
  for (const vertex of [159, 145, 386, 33, 133, 263, 362, 168, 6, 4, 1, 13, 14, 152, 10, 234, 454]) {
    assert.ok(Math.abs(up(vertex)) < 0.05, `${vertex}: ${up(vertex)}`);
  }
});

test('each part of a brow moves by itself', () => {
  const [inner, outer] = [heights({ rightInner: 1 }), heights({ rightOuter: 1 })];
  assert.ok(inner(55) > 0.7 && inner(46) < 0.1);
  assert.ok(outer(46) > 0.7 && outer(55) < 0.1);
  for (const vertex of BROWS[1]!) {
    assert.ok(Math.abs(inner(vertex)) < 0.02 && Math.abs(outer(vertex)) < 0.02);
  }
});

test('a furrow lowers the inner ends and draws them together', () => {
  const offsets = new Float32Array(CANONICAL.length);
  shapes.add({ ...REST, furrow: 1 }, offsets);
  assert.ok(offsets[3 * 55]! > 0.4 && offsets[3 * 285]! < -0.4);
  assert.ok(offsets[3 * 55 + 1]! < -0.7 && offsets[3 * 285 + 1]! < -0.7);
});

const SECONDS = 60;
const { pcm, phrases } = speak(SECONDS, { seed: 2 });
const prosody = new Prosody(pcm, SAMPLE_RATE);
const NATURAL = [50, 51, 52, 53].map((seed) => ({ seed, style: 'natural' as const }));

/** Mean heights of the brows in millimetres, [motion][frame]; frame by frame for all, so that the voice is analysed once. */
function curves(
  voice: Prosody,
  motions: readonly { readonly seed: number; readonly style: 'calm' | 'natural' | 'lively' }[],
): number[][] {
  const moves = motions.map((motion) => createBrowMotion({ prosody: voice, ...motion }));
  const heights = moves.map((): number[] => []);
  for (let frame = 0; frame < SECONDS * 25; frame++) {
    for (const [i, move] of moves.entries()) {
      const { rightInner, rightOuter, leftInner, leftOuter, furrow } = move(frame / 25);
      heights[i]!.push(10 * ((rightInner + rightOuter + leftInner + leftOuter) / 4 - furrow / 2));
    }
  }
  return heights;
}

test('natural brows move as far as in films, calm ones hardly, lively ones more', () => {
  const styles = ['calm', 'natural', 'lively'] as const;
  const motions = styles.flatMap((style) => [1, 2, 3, 4].map((seed) => ({ seed, style })));
  const all = curves(prosody, motions);
  const [calm, natural, lively] = styles.map((style) =>
    median(
      all
        .filter((_, i) => motions[i]!.style === style)
        .flatMap((values) =>
          Array.from({ length: 15 }, (_, k) => deviation(values.slice(100 * k, 100 * k + 100))),
        ),
    ),
  ) as [number, number, number];
  // Of films: 2.1 mm within four seconds; of speakers who read commands: 0.4 mm, most of it the finding of landmarks.
  assert.ok(natural > 0.7 * 2.1 && natural < 1.3 * 2.1, `${natural} mm`);
  assert.ok(calm > 0.2 && calm < 0.6, `${calm} mm`);
  assert.ok(lively > 1.2 * natural && lively < 1.6 * natural, `${lively} mm`);
});

test('brows rise with stressed syllables and at questions', () => {
  const { pcm: asking, phrases: questions } = speak(SECONDS, { seed: 3, finalRise: 6 });
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const at = (times: readonly number[], moves: readonly number[][]): number =>
    mean(moves.flatMap((values) => times.map((time) => values[Math.round(25 * time)]!)));
  const stating = curves(prosody, NATURAL);
  const all = mean(stating.map(mean));
  const stresses = at(
    phrases.flatMap((phrase) => phrase.stresses.map((time) => time + 0.08)),
    stating,
  );
  assert.ok(stresses > all + 0.5, `${stresses} mm at stresses, ${all} mm else`);
  const ends = questions.slice(0, -1).map(({ end }) => end);
  const risen = at(ends, curves(new Prosody(asking, SAMPLE_RATE), NATURAL));
  assert.ok(risen > all + 1.5, `${risen} mm at questions`);
});

test('the two brows are not quite alike', () => {
  const motion = createBrowMotion({ prosody, seed: 4 });
  const differences = Array.from({ length: 500 }, (_, i) => {
    const { rightInner, leftInner } = motion(i / 10);
    return 10 * Math.abs(rightInner - leftInner);
  });
  assert.ok(Math.max(...differences) > 0.5 && median(differences) < 1);
});

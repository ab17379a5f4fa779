import assert from 'node:assert/strict';
import { test } from 'node:test';
import { livelinessOf } from '../../scripts/lib/face-liveliness.ts';
import { type FaceState, NO_FACE } from '../../scripts/lib/talk-measures.ts';

const TIMEOUT = { timeout: 120_000 };
const FPS = 25;

/** A head that nods at `hertz` by `degrees`, with lips that open and close twice a second by `opening`. */
function nodding(seconds: number, hertz: number, degrees: number, opening: number): FaceState[] {
  return Array.from({ length: seconds * FPS }, (_, frame) => {
    const phase = (2 * Math.PI * frame) / FPS;
    return {
      ...{ opening: opening * (1 + Math.sin(2 * phase)), width: 50, protrusion: 0, brows: 20 },
      ...{ lids: frame % 50 === 30 ? 0.05 : 0.3, pitch: degrees * Math.sin(hertz * phase), yaw: 0, roll: 0 },
    };
  });
}

test('sizes are those within four seconds, whatever clips differ by', TIMEOUT, () => {
  const { spread, bands, blinksPerMinute, openings, seconds } = livelinessOf(
    [nodding(8, 0.5, 2, 5), nodding(4, 0.5, 2, 5).map((state) => ({ ...state, pitch: state.pitch + 40 }))],
    FPS,
  );
  assert.equal(seconds, 12);
  assert.ok(Math.abs(spread.pitch - Math.SQRT2) < 0.01, `${spread.pitch}`);
  assert.ok(Math.abs(spread.opening - 5 * Math.SQRT1_2) < 0.05, `${spread.opening}`);
  assert.deepEqual([spread.width, spread.brows, spread.yaw], [0, 0, 0]);
  assert.ok(openings[0] < 0.3 && Math.abs(openings[1] - 5) < 0.7 && openings[2] > 9.7, `${openings}`);
  assert.ok(bands[0] > 0.99, `${bands}`);
  assert.ok(Math.abs(blinksPerMinute - 30) < 1, `${blinksPerMinute}`);
});

test('frames without a face and rests of a clip do not count', TIMEOUT, () => {
  const whole = nodding(5, 0.5, 2, 5);
  const nothing = livelinessOf([[...whole.slice(0, 100), NO_FACE, NO_FACE, ...whole.slice(100)]], FPS);
  assert.deepEqual(nothing.spread, livelinessOf([whole.slice(0, 100)], FPS).spread);
  assert.equal(nothing.seconds, 5);
});

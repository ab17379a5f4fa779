import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROSODY_LOOK_AHEAD, PROSODY_LOOK_BACK, Prosody } from '../../src/motion/prosody.ts';
import { SAMPLE_RATE, speak, whiteNoise } from './speech-fixture.ts';

const TOLERANCE = 0.13; // an analysis window and a consonant

for (const pitch of [95, 210]) {
  test(`phrases of a voice of ${pitch} Hz begin and end where it does`, () => {
    const { pcm, phrases } = speak(40, { pitch, seed: 3 });
    const boundaries = new Prosody(pcm, SAMPLE_RATE).boundaries(0, 40);
    assert.deepEqual(
      boundaries.map(({ kind }) => kind),
      phrases.flatMap(() => ['start', 'end']),
    );
    phrases.forEach(({ start, end }, i) => {
      assert.ok(
        Math.abs(boundaries[2 * i]!.time - start) < TOLERANCE,
        `${boundaries[2 * i]!.time} for ${start}`,
      );
      assert.ok(
        Math.abs(boundaries[2 * i + 1]!.time - end) < TOLERANCE,
        `${boundaries[2 * i + 1]!.time} for ${end}`,
      );
      assert.equal(boundaries[2 * i + 1]!.question, false);
    });
  });

  test(`stressed syllables of a voice of ${pitch} Hz are found, and are stronger than others`, () => {
    const { pcm, phrases } = speak(40, { pitch, seed: 4 });
    const found = new Prosody(pcm, SAMPLE_RATE).stresses(0, 40);
    const expected = phrases.flatMap(({ stresses }) => stresses);
    const isNear = (a: number) => (b: number) => Math.abs(a - b) < 0.08;
    const strong = found.filter(({ strength }) => strength > 0.75).map(({ time }) => time);
    const hits = expected.filter((time) => strong.some(isNear(time))).length;
    assert.ok(hits >= 0.9 * expected.length, `${hits} of ${expected.length}`);
    const wrong = strong.filter((time) => !expected.some(isNear(time))).length;
    assert.ok(wrong <= 0.15 * expected.length, `${wrong} too many`);
  });
}

test('a phrase that rises at its end is a question', () => {
  const { pcm, phrases } = speak(30, { finalRise: 6, seed: 5 });
  const ends = new Prosody(pcm, SAMPLE_RATE).boundaries(0, 30).filter(({ kind }) => kind === 'end');
  assert.equal(ends.length, phrases.length);
  assert.ok(ends.filter(({ question }) => question).length >= 0.8 * ends.length);
});

test('the pitch is that of the voice, in semitones about its mean', () => {
  const low = speak(20, { pitch: 110, seed: 6 });
  const prosody = new Prosody(low.pcm, SAMPLE_RATE);
  const { start, stresses } = low.phrases[3]!;
  const [usual, raised] = [start + 0.11, stresses[0]!].map((time) => prosody.pitchAt(Math.round(50 * time))!);
  assert.ok(raised! - usual! > 1.5 && raised! - usual! < 4, `${raised! - usual!} semitones`);
});

for (const [name, pcm] of [
  ['silence', new Float32Array(10 * SAMPLE_RATE)],
  ['nothing', new Float32Array(0)],
  ['noise', whiteNoise(10, 0.1)],
  ['one sample', Float32Array.of(0.5)],
] as const) {
  test(`${name} is no speech`, () => {
    const prosody = new Prosody(pcm, SAMPLE_RATE);
    assert.deepEqual(prosody.stresses(0, 10), []);
    assert.deepEqual(prosody.boundaries(0, 10), []);
    for (let time = 0; time < 10; time += 0.5) {
      assert.equal(prosody.activity(time), 0);
      assert.ok(Number.isFinite(prosody.loudness(time)));
    }
  });
}

test('activity is 1 in speech and 0 in a long pause', () => {
  const { pcm } = speak(6);
  const padded = new Float32Array(pcm.length + 4 * SAMPLE_RATE);
  padded.set(pcm);
  const prosody = new Prosody(padded, SAMPLE_RATE);
  assert.ok(prosody.activity(1.2) > 0.99);
  assert.equal(prosody.activity(8), 0);
});

test('loudness of the recording does not matter, within reason', () => {
  const [loud, quiet] = [speak(20, { level: 0.3 }), speak(20, { level: 0.02 })].map(
    ({ pcm }) => new Prosody(pcm, SAMPLE_RATE),
  );
  const [few, many] = [quiet!.boundaries(0, 20), loud!.boundaries(0, 20)];
  assert.equal(few.length, many.length);
  few.forEach(({ time, kind }, i) => {
    assert.equal(kind, many[i]!.kind);
    assert.ok(Math.abs(time - many[i]!.time) < TOLERANCE);
  });
});

/** Everything that is said of some seconds. */
function account(prosody: Prosody, from: number, to: number, shift = 0): unknown {
  const round = (value: number): number => Math.round(value * 1e4) / 1e4;
  const moved = ({ time, ...rest }: { readonly time: number }) => ({ ...rest, time: round(time - shift) });
  return {
    stresses: prosody.stresses(from + shift, to + shift).map(moved),
    boundaries: prosody.boundaries(from + shift, to + shift).map(moved),
    activity: Array.from({ length: 20 }, (_, i) =>
      round(prosody.activity(from + shift + ((to - from) * i) / 20)),
    ),
    loudness: Array.from({ length: 20 }, (_, i) =>
      round(prosody.loudness(from + shift + ((to - from) * i) / 20)),
    ),
  };
}

test('what is said of a moment does not depend on what comes long after or came long before', () => {
  const { pcm } = speak(60, { seed: 8 });
  const whole = new Prosody(pcm, SAMPLE_RATE);
  const expected = account(whole, 20, 24);
  const cut = new Prosody(pcm.subarray(0, Math.round((24 + PROSODY_LOOK_AHEAD) * SAMPLE_RATE)), SAMPLE_RATE);
  assert.deepEqual(account(cut, 20, 24), expected);
  const silenced = pcm.slice().fill(0, 0, (20 - PROSODY_LOOK_BACK) * SAMPLE_RATE);
  assert.deepEqual(account(new Prosody(silenced, SAMPLE_RATE), 20, 24), expected);
});

test('questions in any order have the same answers, and few seconds are kept', () => {
  const { pcm } = speak(90, { seed: 9 });
  const [forwards, backwards] = [new Prosody(pcm, SAMPLE_RATE), new Prosody(pcm, SAMPLE_RATE)];
  const times = Array.from({ length: 17 }, (_, i) => 5 * i);
  const expected = times.map((time) => account(forwards, time, time + 5));
  const found = times.toReversed().map((time) => account(backwards, time, time + 5));
  assert.deepEqual(found.toReversed(), expected);
});

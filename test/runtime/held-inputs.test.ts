import assert from 'node:assert/strict';
import test from 'node:test';
import { HeldInputs } from '../../src/runtime/held-inputs.ts';

/** A group of inputs of `megabytes`. */
const group = (megabytes: number) => ({
  x: { data: new Float32Array(megabytes * 250_000), dims: [megabytes, 250_000] },
});

test('a group is sent once, as long as there is room', () => {
  const held = new HeldInputs(24e6);
  const [a, b] = [group(10), group(10)];
  assert.deepEqual(held.admit(a), { id: 1, isNew: true, dropped: [] });
  assert.deepEqual(held.admit(b), { id: 2, isNew: true, dropped: [] });
  assert.deepEqual(held.admit(a), { id: 1, isNew: false, dropped: [] });
});

test('the group that was not used for longest makes room, and is sent again later', () => {
  const held = new HeldInputs(24e6);
  const [a, b, c] = [group(10), group(10), group(10)];
  held.admit(a);
  held.admit(b);
  held.admit(a);
  assert.deepEqual(held.admit(c), { id: 3, isNew: true, dropped: [2] });
  assert.deepEqual(held.admit(b), { id: 4, isNew: true, dropped: [1] });
  assert.equal(held.admit(c).isNew, false);
});

test('a group that is larger than the room takes all of it', () => {
  const held = new HeldInputs(24e6);
  const large = group(30);
  held.admit(group(3));
  assert.deepEqual(held.admit(large), { id: 2, isNew: true, dropped: [1] });
  assert.equal(held.admit(large).isNew, false);
});

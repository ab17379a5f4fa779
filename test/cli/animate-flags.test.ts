import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { addAnimateFlags, readAnimateFlags } from '../../src/cli/animate-flags.ts';
import { writeFlags } from '../../src/cli/option-flags.ts';
import { findInvalidOptions } from '../../src/pipeline/resolve-options.ts';

const REQUIRED = ['--portrait', 'a.jpg', '--audio', 'a.wav', '--output', 'a.mp4'];

function read(...args: string[]) {
  const command = addAnimateFlags(new Command('animate'));
  command.parse([...REQUIRED, ...args], { from: 'user' });
  return readAnimateFlags(command).options;
}

test('LoRAs may be given several times, in order', () => {
  const { loras } = read('--lora', 'a:0.5', '--lora', 'b');
  assert.deepEqual(loras, [
    { path: 'a', scale: 0.5 },
    { path: 'b', scale: 1 },
  ]);
  assert.equal(read().loras, undefined);
});

test('a scale that is a slip of the pen is named', () => {
  const [error, ...rest] = findInvalidOptions(read('--lora', 'a:99', '--lora', 'b'));
  assert.deepEqual(rest, []);
  const written = error!.writtenAs(writeFlags());
  assert.equal(written.option, '--lora');
  assert.match(
    written.message,
    /Cannot use --lora: expected LoRA files, each with a scale from -10 to 10, got \{"path":"a","scale":99\}/,
  );
  for (const loras of ['a', [{ path: 'a' }], [{ path: '', scale: 1 }], [null], {}]) {
    assert.equal(findInvalidOptions({ ...read(), loras }).length, 1, JSON.stringify(loras));
  }
});

test('-o is short for --output, and help says so', () => {
  assert.equal(read('-o', 'b.mp4').output, 'b.mp4');
  assert.equal(read('-ob.mp4').output, 'b.mp4');
  assert.match(addAnimateFlags(new Command('animate')).helpInformation(), /^ {2}-o, --output <file> /m);
});

test('a portrait and a recording need no flags', () => {
  const command = addAnimateFlags(new Command('animate'));
  command.parse(['a.jpg', 'a.wav', '-o', 'a.mp4', '--seed', '3'], { from: 'user' });
  const { options, errors } = readAnimateFlags(command);
  assert.deepEqual(errors, []);
  assert.deepEqual(options, { portrait: 'a.jpg', audio: 'a.wav', output: 'a.mp4', seed: 3 });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandHomes } from '../../src/cli/home-arguments.ts';

const home = () => '/home/ada';

test('a ~ that a value begins with is the home, in every place and of every command', {
  timeout: 120_000,
}, () => {
  const args = [
    'animate',
    '--portrait',
    '~/a.jpg',
    '--output=~/out/b.mp4',
    '--lora=~/c.safetensors:0.5',
    '~',
    '-o~/d.mp4',
  ];
  assert.deepEqual(expandHomes(args, home), [
    ...['animate', '--portrait', '/home/ada/a.jpg', '--output=/home/ada/out/b.mp4'],
    ...['--lora=/home/ada/c.safetensors:0.5', '/home/ada', '-o/home/ada/d.mp4'],
  ]);
});

test('what is no home stays: folders called so, secrets, a ~ in the middle', { timeout: 120_000 }, () => {
  const args = ['./~/a.jpg', '--token=~/abc', '--token', '~/abc', 'a~/b', '--title=a ~/b', '--', '-'];
  assert.deepEqual(expandHomes(args, home), args);
});

test('homes of others, and of users without one, are refused by the name of the flag', {
  timeout: 120_000,
}, () => {
  assert.throws(
    () => expandHomes(['--output=~bob/a.mp4', '--audio', '~eve/b.wav'], home),
    (error) => {
      assert.match(String(error), /Cannot use --output ~bob\/a\.mp4: expected ~\/ or the whole path/);
      assert.match(String(error), /Cannot use --audio ~eve\/b\.wav/);
      return true;
    },
  );
  assert.throws(
    () => expandHomes(['~/a'], () => ''),
    /expected a user with a home folder for ~, got one without/,
  );
});

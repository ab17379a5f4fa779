import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { expandHome } from '../../src/files/home-path.ts';

const home = path.resolve('/home/ada');

test('a leading ~ is the home, and every other one is a part of a name', () => {
  assert.equal(expandHome('~/a/b.mp4', () => home).path, path.join(home, 'a', 'b.mp4'));
  assert.equal(expandHome('~', () => home).path, home);
  assert.equal(expandHome('~/', () => home).path, home);
  for (const name of ['a.mp4', './~/a.mp4', 'a~/b', '~backup', '/~/a', '']) {
    const never = (): string => assert.fail('nobody needs the home');
    assert.equal(expandHome(name, never).path, name);
  }
});

test('another user’s home, and none at all, are problems', () => {
  assert.match(expandHome('~ben/a.mp4', () => home).problem!, /expected ~\/ or the whole path .*got ~ben/);
  const none = /expected a user with a home folder/;
  assert.match(expandHome('~/a', () => '').problem!, none);
  assert.match(
    expandHome('~/a', () => {
      throw new Error('ENOENT: no such entry in passwd');
    }).problem!,
    none,
  );
});

/** The unit in the documentation, without systemd running: its own checker reads it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../helpers/media.ts';
import { ROOT } from '../helpers/run-program.ts';

const folder = temporaryDirectory();
const documentation = readFileSync(path.join(ROOT, 'docs/serve.md'), 'utf8');
const unit = /^\[Unit\]$[\s\S]*?(?=^```$)/m.exec(documentation)?.[0] ?? '';
const isMissing = spawnSync('systemd-analyze', ['--version']).status !== 0;

/** What systemd says of a unit; nothing of one that it understands. */
function complaints(text: string): string {
  const file = path.join(folder, 'lcm-portrait.service');
  writeFileSync(file, text);
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
  return stdout + stderr;
}

test('systemd understands every line of the unit', {
  skip: isMissing && 'needs systemd-analyze (apt-get install systemd)',
}, () => {
  assert.ok(unit.includes('ExecStart='));
  assert.equal(complaints(unit), '');
  assert.match(complaints(unit.replace('DynamicUser=yes', 'DynamicUsr=yes')), /DynamicUsr/);
});

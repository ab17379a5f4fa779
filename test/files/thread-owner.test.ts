import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { currentOwner, formatOwner, livenessOf, parseOwner } from '../../src/files/thread-owner.ts';

const isLinux = process.platform === 'linux';

test('an owner is read as it was written, whatever its host is called', () => {
  for (const host of ['box', 'a-b.example.org', 'Ada’s Mac', '%/\\ :', '…'.repeat(20)]) {
    const owner = { host, pid: 12, thread: 0, started: '' };
    const text = formatOwner(owner);
    assert.deepEqual(parseOwner(text), owner);
    assert.doesNotMatch(text, /[/\\: ]/);
  }
  const own = currentOwner();
  assert.deepEqual(parseOwner(formatOwner(own)), own);
  for (const text of ['', '1', '1-2', '1-2--', 'x-2--host', '1-2-xyz-host', '1-2--%'])
    assert.equal(parseOwner(text), undefined, text);
});

test('this thread runs, and another machine’s cannot be asked for', () => {
  const own = currentOwner();
  assert.equal(livenessOf(own), 'running');
  assert.equal(livenessOf({ ...own, host: 'elsewhere' }), 'unknown');
  assert.equal(livenessOf(own, 'elsewhere'), 'unknown');
});

test('a process that has ended is found out', async () => {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  await once(child, 'close');
  assert.equal(livenessOf({ ...currentOwner(), pid: child.pid!, started: '' }), 'ended');
});

test('a number that was given again is found out by the beginning', {
  skip: !isLinux && 'only Linux says here when a thread began',
}, () => {
  const own = currentOwner();
  assert.match(own.started, /^[0-9a-f]{9,}$/);
  // As in proc_pid_stat(5): of the main thread both numbers are one, and every thread has its own.
  assert.equal(own.thread, process.pid);
  const other = readdirSync(`/proc/${process.pid}/task`)
    .map(Number)
    .find((thread) => thread !== own.thread)!;
  const boot = own.started.slice(0, 8);
  assert.equal(livenessOf({ ...own, started: `${boot}1` }), 'ended');
  // The same tick after another start of the machine.
  assert.equal(
    livenessOf({ ...own, started: `${boot === '00000000' ? '1' : '0'.repeat(8)}${own.started.slice(8)}` }),
    'ended',
  );
  assert.equal(livenessOf({ ...own, thread: 2 ** 30 }), 'ended');
  assert.equal(livenessOf({ ...own, thread: other, started: '01' }), 'ended');
  // A process of root that this user may not look into counts as running, as far as it can be seen.
  assert.equal(livenessOf({ ...own, pid: 1, thread: 1, started: '' }), 'running');
});

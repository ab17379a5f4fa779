import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { MediaError } from '../../src/errors.ts';
import { formatOwner } from '../../src/files/thread-owner.ts';
import { lockFolder } from '../../src/jobs/job-lock.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { LOADER, moduleUrl } from '../helpers/run-program.ts';

const root = temporaryDirectory();

test('the folder of an output is made, locked for one, and left without a lock', async () => {
  const folder = path.join(root, 'jobs', 'one');
  const lock = await lockFolder(folder, 'talk.mp4');
  await assert.rejects(lockFolder(folder, 'talk.mp4'), (error) => {
    assert.ok(error instanceof MediaError);
    assert.equal(error.path, 'talk.mp4');
    assert.equal(
      error.message,
      `Cannot write talk.mp4: expected to be the only program that does, got process ${process.pid} on ${hostname()} that renders it`,
    );
    return true;
  });
  // Another output is another matter.
  (await lockFolder(path.join(root, 'jobs', 'two'), 'other.mp4')).release();
  lock.release();
  assert.deepEqual(readdirSync(folder), []);
  (await lockFolder(folder, 'talk.mp4')).release();
});

test('the lock of a program that was killed is free, and of one that exits it is gone', async () => {
  const folder = path.join(root, 'killed');
  const module = JSON.stringify(moduleUrl('src/jobs/job-lock.ts'));
  const code = `import { lockFolder } from ${module};
    await lockFolder(${JSON.stringify(folder)}, 'talk.mp4');
    console.log('has it');
    process.stdin.once('data', () => process.exit(0));`;
  const start = async () => {
    const args = [...LOADER, '--input-type=module', '-e', code];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    assert.equal(String((await once(child.stdout, 'data'))[0]).trim(), 'has it');
    await assert.rejects(lockFolder(folder, 'talk.mp4'), new RegExp(`got process ${child.pid} on`));
    return child;
  };
  const killed = await start();
  killed.kill('SIGKILL');
  await once(killed, 'close');
  assert.equal(readdirSync(folder).length, 1);
  const exiting = await start();
  exiting.stdin.write('end');
  await once(exiting, 'close');
  assert.deepEqual(readdirSync(folder), []);
});

test('the lock of another machine’s program is refused with the file to remove', async () => {
  const folder = path.join(root, 'shared');
  (await lockFolder(folder, 'talk.mp4')).release();
  const owner = { host: 'elsewhere', pid: 7, thread: 7, started: '1' };
  const file = path.join(folder, `lock.1-01234567-${formatOwner(owner)}`);
  writeFileSync(file, '');
  await assert.rejects(lockFolder(folder, 'talk.mp4'), (error) => {
    assert.ok(error instanceof MediaError);
    return error.message.endsWith(
      `got process 7 on elsewhere that renders it; if it does not run any more, remove ${file}`,
    );
  });
  assert.ok(existsSync(file));
});

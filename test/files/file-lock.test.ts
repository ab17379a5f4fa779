import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { EnvironmentError } from '../../src/errors.ts';
import { type HeldLock, isHeld, lockFile, tryLockFile } from '../../src/files/file-lock.ts';
import { currentOwner, formatOwner, type ThreadOwner } from '../../src/files/thread-owner.ts';
import { startWorkerThread } from '../../src/runtime/worker-thread.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { LOADER, moduleFile } from '../helpers/run-program.ts';
import { fillDisk, mountSmallDisk } from '../helpers/small-disk.ts';

const root = temporaryDirectory();
const WORKER = moduleFile('test/files/fixtures/lock-worker.ts');
/** Of the test with many: so many waiters as there are loops in all. */
const [PROCESSES, LOOPS, TURNS] = [3, 4, 6];
const isLinux = process.platform === 'linux';

let folders = 0;
function newFolder(): string {
  const folder = path.join(root, String(folders++));
  mkdirSync(folder);
  return folder;
}

/** Leaves a ticket as somebody else would. */
function leaveTicket(name: string, owner: ThreadOwner, number = 1): string {
  const file = `${name}.${number}-01234567-${formatOwner(owner)}`;
  writeFileSync(file, '');
  return file;
}

function startWorker(folder: string, kills: number): ChildProcess {
  const args = [folder, String(LOOPS), String(TURNS), String(kills)];
  return spawn(process.execPath, [...LOADER, WORKER, ...args], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
}

async function assertTaken(name: string, owner: Partial<ThreadOwner>): Promise<void> {
  const result = await tryLockFile(name);
  assert.ok(!isHeld(result));
  for (const [key, value] of Object.entries(owner))
    assert.equal(result.owner[key as keyof ThreadOwner], value);
}

async function assertFree(name: string): Promise<void> {
  const result = await tryLockFile(name);
  assert.ok(isHeld(result), JSON.stringify(result));
  result.release();
}

test('a lock is had by one, refused to others, and leaves nothing', async () => {
  const folder = newFolder();
  const name = path.join(folder, 'lock');
  const lock = await lockFile(name);
  await assertTaken(name, currentOwner());
  assert.equal(readdirSync(folder).length, 1);
  lock.release();
  lock.release();
  assert.deepEqual(readdirSync(folder), []);
  await assertFree(name);
  assert.deepEqual(readdirSync(folder), []);
});

test('those who wait have the lock in the order in which they came', async () => {
  const name = path.join(newFolder(), 'lock');
  const first = await lockFile(name);
  const order: number[] = [];
  let inside = 0;
  const waiters = [1, 2, 3, 4, 5].map(async (number) => {
    const lock = await lockFile(name);
    order.push(number);
    assert.equal(++inside, 1);
    await nextTurn();
    inside--;
    lock.release();
  });
  await nextTurn();
  assert.deepEqual(order, []);
  first.release();
  await Promise.all(waiters);
  assert.deepEqual(order, [1, 2, 3, 4, 5]);
});

test('of many that try at once exactly one has the lock', async () => {
  const name = path.join(newFolder(), 'lock');
  const results = await Promise.all(Array.from({ length: 12 }, () => tryLockFile(name)));
  const held = results.filter(isHeld);
  assert.equal(held.length, 1);
  held[0]!.release();
  await assertFree(name);
});

test('a waiter that is about to take a ticket is waited for: it may be a lower one', async () => {
  const name = path.join(newFolder(), 'lock');
  const parent: ThreadOwner = { ...currentOwner(), pid: process.ppid, started: '' };
  const announcement = leaveTicket(name, parent, 0);
  let mine: HeldLock | undefined;
  const waiting = lockFile(name).then((lock) => {
    mine = lock;
  });
  // As if both had seen no ticket; of equal numbers the names decide, and this one comes first.
  const lower = `${name}.1-00000000-${formatOwner(parent)}`;
  writeFileSync(lower, '');
  rmSync(announcement);
  await sleep(150);
  assert.equal(mine, undefined);
  rmSync(lower);
  await waiting;
  mine!.release();
});

test('an announcement alone keeps the lock from others', async () => {
  const name = path.join(newFolder(), 'lock');
  const announcement = leaveTicket(name, { ...currentOwner(), pid: process.ppid, started: '' }, 0);
  const looks: boolean[] = [];
  const waiting = lockFile(name).then((lock) => {
    looks.push(readdirSync(path.dirname(name)).includes(path.basename(announcement)));
    lock.release();
  });
  await sleep(50);
  rmSync(announcement);
  await waiting;
  assert.deepEqual(looks, [false]);
});

test('a signal ends the waiting and takes the ticket back', async () => {
  const folder = newFolder();
  const name = path.join(folder, 'lock');
  const lock = await lockFile(name);
  const controller = new AbortController();
  const waiting = lockFile(name, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough|aborted/);
  await assert.rejects(lockFile(name, { signal: controller.signal }), /enough/);
  assert.equal(readdirSync(folder).length, 1);
  lock.release();
});

test('many processes that are killed while they have the lock never let two in', async () => {
  const folder = newFolder();
  writeFileSync(path.join(folder, 'counter'), '0');
  // A process that was killed has done some of its turns, and is started again.
  const kills = await Promise.all(
    Array.from({ length: PROCESSES }, async () => {
      for (let killed = 0; ; killed++) {
        const child = startWorker(folder, killed < 2 ? 8 : 0);
        const problems: string[] = [];
        child.stderr!.on('data', (data) => problems.push(String(data)));
        const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
        assert.equal(problems.join(''), '');
        if (signal !== 'SIGKILL') {
          assert.equal(code, 0);
          return killed;
        }
      }
    }),
  );
  const count = Number(readFileSync(path.join(folder, 'counter'), 'utf8'));
  const killed = kills.reduce((sum, each) => sum + each, 0);
  const most = LOOPS * TURNS;
  assert.ok(
    count >= PROCESSES * most && count <= (PROCESSES + killed) * most,
    `${count} turns, ${killed} killed`,
  );
  await assertFree(path.join(folder, 'lock'));
  assert.deepEqual(readdirSync(folder), ['counter']);
});

test('a ticket of a process that has ended blocks no other', async () => {
  const folder = newFolder();
  const name = path.join(folder, 'lock');
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  await once(child, 'close');
  for (const number of [0, 1, 7]) {
    leaveTicket(name, { ...currentOwner(), pid: child.pid!, thread: child.pid!, started: '' }, number);
  }
  await assertFree(name);
  (await lockFile(name)).release();
  assert.deepEqual(readdirSync(folder), []);
});

test('a ticket of an earlier process with the number of one that runs blocks no other', {
  skip: !isLinux && 'only Linux says here when a process began',
}, async () => {
  const name = path.join(newFolder(), 'lock');
  leaveTicket(name, { ...currentOwner(), pid: process.ppid, thread: process.ppid, started: '01234567ff' });
  // Of this process itself, too, as in a container that was started again.
  leaveTicket(name, { ...currentOwner(), started: '01234567ff' });
  await assertFree(name);
});

test('a process that was killed and not waited for blocks no other', {
  skip: !isLinux && 'zombies are found out on Linux only',
}, async () => {
  const name = path.join(newFolder(), 'lock');
  // The parent lets its child end and does not take note of it; it ends when its input does.
  // The child waits until the parent is no shell any more, which would take note.
  const child = '(until grep -qx cat /proc/$$/comm; do sleep 0.01; done)';
  const script = `${child} & echo $!; exec cat >&2`;
  const parent = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
  try {
    const [text] = (await once(parent.stdout!, 'data')) as [Buffer];
    const pid = Number(String(text));
    const stat = (): string => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!;
    while (!stat().startsWith('Z')) await sleep(5);
    const ticks = Number(stat().split(' ')[19]).toString(16);
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    leaveTicket(name, { ...currentOwner(), pid, thread: pid, started: boot + ticks });
    await assertFree(name);
  } finally {
    parent.stdin!.end();
    await once(parent, 'close');
  }
});

test('a thread that was ended blocks no other, though its process runs', {
  skip: !isLinux && 'threads can be distinguished on Linux only',
}, async () => {
  const name = path.join(newFolder(), 'lock');
  const thread = startWorkerThread(new URL('./fixtures/lock-thread.ts', import.meta.url));
  thread.postMessage(name);
  assert.deepEqual(await once(thread, 'message'), ['has it']);
  await assertTaken(name, { pid: process.pid });
  await thread.terminate();
  await assertFree(name);
});

test('another machine’s lock is waited for while it shows that it is alive, and named when it does not', async () => {
  const folder = newFolder();
  const name = path.join(folder, 'lock');
  const file = leaveTicket(name, { host: 'elsewhere', pid: 1, thread: 1, started: '1' });
  await assertTaken(name, { host: 'elsewhere', pid: 1 });

  let seconds = 1e6;
  const alive = setInterval(() => utimesSync(file, ++seconds, seconds), 1);
  let ended = false;
  const waiting = lockFile(name, { silenceMs: 2000 }).finally(() => {
    ended = true;
  });
  // As many looks as would take it beyond the limit if it did not look at the signs.
  while (seconds < 1e6 + 200) await sleep(10);
  assert.equal(ended, false);
  clearInterval(alive);
  await assert.rejects(waiting, (error) => {
    assert.ok(error instanceof EnvironmentError);
    assert.match(error.message, /expected process 1 on elsewhere .*; if it does not run any more, remove /);
    return error.message.endsWith(file);
  });
  assert.deepEqual(readdirSync(folder), [path.basename(file)]);
});

test('files that only look like tickets are left alone', async () => {
  const folder = newFolder();
  const others = ['lock', 'lock.json', 'lock.1-x', 'locker.1-01234567-1-1--host', 'lock.1-01234567-1-1--%'];
  for (const other of others) writeFileSync(path.join(folder, other), '');
  await assertFree(path.join(folder, 'lock'));
  assert.deepEqual(readdirSync(folder).sort(), others.sort());
});

test('a folder that is not there is the file system’s error', async () => {
  const name = path.join(root, 'none', 'lock');
  await assert.rejects(lockFile(name), { code: 'ENOENT' });
  await assert.rejects(tryLockFile(name), { code: 'ENOENT' });
});

test('a ticket that somebody removes is found out', async () => {
  const folder = newFolder();
  const name = path.join(folder, 'lock');
  const lock = await lockFile(name);
  const waiting = lockFile(name);
  await nextTurn();
  for (const file of readdirSync(folder)) rmSync(path.join(folder, file));
  await assert.rejects(waiting, EnvironmentError);
  lock.release();
});

const disk = mountSmallDisk(1);
test('a lock is had on a full disk, or refused without a trace', { skip: disk.skip }, async () => {
  const name = path.join(disk.folder, 'lock');
  const free = fillDisk(disk.folder);
  let lock: HeldLock | undefined;
  try {
    lock = await lockFile(name);
    await assertTaken(name, currentOwner());
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  }
  lock?.release();
  assert.deepEqual(readdirSync(disk.folder), ['.filler']);
  free();
  await assertFree(name);
});

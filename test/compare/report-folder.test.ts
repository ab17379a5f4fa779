import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ReportFolder } from '../../src/compare/report-folder.ts';
import { MediaError } from '../../src/errors.ts';
import { formatOwner } from '../../src/files/thread-owner.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();
const LOCK = '.lcm-portrait-compare.lock';

test('a folder that is missing is made, locked, written to whole and unlocked', async () => {
  const target = path.join(folder, 'a', 'b');
  const report = await ReportFolder.open(target, { force: false });
  const [lock, ...others] = readdirSync(target);
  assert.ok(lock!.startsWith(`${LOCK}.1-`) && others.length === 0);
  await assert.rejects(ReportFolder.open(target, { force: true }), (error: Error) => {
    assert.ok(error instanceof MediaError);
    return error.message.includes(`in use by process ${process.pid} on ${hostname()}`);
  });
  await report.write('videos/x.txt', 'one');
  await report.write('videos/x.txt', 'two');
  assert.equal(readFileSync(path.join(target, 'videos/x.txt'), 'utf8'), 'two');
  assert.deepEqual(readdirSync(path.join(target, 'videos')), ['x.txt']);
  report.release();
  report.release();
  await report.removeIfEmpty();
  assert.deepEqual(readdirSync(target), ['videos']);
});

test('a report is replaced by force only, and other files stay', async () => {
  const target = path.join(folder, 'old');
  mkdirSync(path.join(target, 'videos'), { recursive: true });
  writeFileSync(path.join(target, 'report.json'), '{}');
  writeFileSync(path.join(target, 'notes.txt'), '');
  await assert.rejects(ReportFolder.open(target, { force: false }), /one with a report.*overwrite: true/);
  writeFileSync(path.join(target, 'videos', 'old.mp4'), '');
  const report = await ReportFolder.open(target, { force: true });
  writeFileSync(await report.draftOf('new'), '');
  assert.deepEqual(readdirSync(path.join(target, 'videos')), ['old.mp4']);
  await report.publishVideos();
  writeFileSync(await report.draftOf('left-over'), '');
  await report.discardDrafts();
  report.release();
  assert.deepEqual(readdirSync(target).sort(), ['notes.txt', 'report.json', 'videos']);
  assert.deepEqual(readdirSync(path.join(target, 'videos')), ['new.mp4']);
});

test('a lock of a process that has ended is taken over, one of another machine is not', async () => {
  const target = path.join(folder, 'stale');
  mkdirSync(target);
  const lockOf = (host: string, pid: number): string =>
    path.join(target, `${LOCK}.1-01234567-${formatOwner({ host, pid, thread: 0, started: '' })}`);
  writeFileSync(lockOf(hostname(), 2 ** 22 + 1), '');
  (await ReportFolder.open(target, { force: false })).release();
  assert.deepEqual(readdirSync(target), []);
  writeFileSync(lockOf('elsewhere', 1), '');
  await assert.rejects(ReportFolder.open(target, { force: false }), (error: Error) => {
    assert.match(error.message, /in use by process 1 on elsewhere; choose another, or remove .*elsewhere if/);
    return true;
  });
  assert.deepEqual(readdirSync(target), [path.basename(lockOf('elsewhere', 1))]);
});

test('a file in place of the folder is refused', async () => {
  const file = path.join(folder, 'file');
  writeFileSync(file, '');
  await assert.rejects(ReportFolder.open(file, { force: true }), /expected a folder, got a file/);
});

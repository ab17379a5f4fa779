import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usableCores } from '../../src/runtime/usable-cores.ts';

const files = (contents: Readonly<Record<string, string>>) => (path: string) => contents[path];

test('without a limit, all cores are usable', () => {
  assert.equal(usableCores(files({}), 4), 4);
  assert.equal(
    usableCores(files({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' }), 4),
    4,
  );
  const first = {
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
  };
  assert.equal(usableCores(files(first), 4), 4);
});

test('a share of time is that many cores, rounded up, and half a core is one', () => {
  const limit = (text: string) =>
    files({ '/proc/self/cgroup': '0::/a/b\n', '/sys/fs/cgroup/a/cpu.max': text });
  assert.equal(usableCores(limit('50000 100000\n'), 64), 1);
  assert.equal(usableCores(limit('150000 100000\n'), 64), 2);
  assert.equal(usableCores(limit('900000 100000\n'), 4), 4);
  const first = {
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '250000\n',
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
  };
  assert.equal(usableCores(files(first), 8), 3);
  // In a group of its own, with accounts in the same tree.
  const inner = {
    '/proc/self/cgroup': '9:name=systemd:/\n2:cpu,cpuacct:/jobs/one\n3:cpuset:/\n',
    '/sys/fs/cgroup/cpu/jobs/cpu.cfs_quota_us': '50000\n',
    '/sys/fs/cgroup/cpu/jobs/cpu.cfs_period_us': '100000\n',
  };
  assert.equal(usableCores(files(inner), 8), 1);
  assert.equal(
    usableCores(files({ ...inner, '/proc/self/cgroup': '3:cpuset:/jobs/one\n1:cpu:/other\n' }), 8),
    8,
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { availableMemory } from '../../src/runtime/available-memory.ts';

const MEMINFO = 'MemTotal:       24000000 kB\nMemFree:         1000000 kB\nMemAvailable:   20000000 kB\n';
const MACHINE = 20_000_000 * 1024;

/** What is available on a machine with these files. */
function availableOf(files: Readonly<Record<string, string>>): number {
  return availableMemory((path) => files[path], 123);
}

test('without a container, it is what the kernel says, files that are kept in memory included', () => {
  assert.equal(availableOf({ '/proc/meminfo': MEMINFO }), MACHINE);
  assert.equal(availableOf({}), 123, 'other systems say what is free');
});

test('a control group of the second version, or one above it, leaves less', () => {
  const files = {
    '/proc/meminfo': MEMINFO,
    '/proc/self/cgroup': '0::/user.slice/app.scope\n',
    '/sys/fs/cgroup/user.slice/app.scope/memory.max': 'max\n',
    '/sys/fs/cgroup/user.slice/app.scope/memory.current': '5000\n',
    '/sys/fs/cgroup/user.slice/memory.max': '8000000000\n',
    '/sys/fs/cgroup/user.slice/memory.current': '6000000000\n',
    '/sys/fs/cgroup/user.slice/memory.stat': 'anon 1\ninactive_file 500000000\nactive_file 7\n',
  };
  assert.equal(availableOf(files), 2_500_000_000);
  assert.equal(
    availableOf({ ...files, '/sys/fs/cgroup/user.slice/memory.current': '9000000000' }),
    0,
    'never below nothing',
  );
});

test('in a container, the group is the root of what is seen', () => {
  const files = {
    '/proc/meminfo': MEMINFO,
    '/proc/self/cgroup': '0::/\n',
    '/sys/fs/cgroup/memory.max': '4000000000\n',
    '/sys/fs/cgroup/memory.current': '1000000000\n',
  };
  assert.equal(availableOf(files), 3_000_000_000);
});

test('a control group of the first version, whose missing limit is a huge number', () => {
  const files = {
    '/proc/meminfo': MEMINFO,
    '/proc/self/cgroup': '5:devices:/\n4:cpu,memory:/docker/abc\n0::/\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': '1000\n',
    '/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes': '3000000000\n',
    '/sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes': '2900000000\n',
    '/sys/fs/cgroup/memory/docker/abc/memory.stat': 'inactive_file 1\ntotal_inactive_file 400000000\n',
  };
  assert.equal(availableOf(files), 500_000_000);
});

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { listExecutionProviders } from '../../src/runtime/engine.ts';
import { LOADER, moduleUrl, ROOT } from '../helpers/run-program.ts';

test('devices are tried in another process, and nothing that drivers say is printed', async () => {
  const code = `
    import { probeDevices } from ${JSON.stringify(moduleUrl('src/runtime/probe-devices.ts'))};
    console.log(JSON.stringify(await probeDevices()));`;
  const child = spawnSync(process.execPath, [...LOADER, '--input-type=module', '--eval', code], {
    encoding: 'utf8',
    cwd: ROOT,
    timeout: 600_000, // a probe that hangs; the test cannot be ended from its own thread
  });
  assert.deepEqual([child.status, child.stderr], [0, '']);
  assert.deepEqual(JSON.parse(child.stdout), await listExecutionProviders());
});

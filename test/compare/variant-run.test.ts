import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { warmDisk } from '../../src/compare/variant-run.ts';
import type { Bundle } from '../../src/models/bundle.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'lcm-portrait-test-'));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

test('files larger than Node.js reads at once are read all the same', async () => {
  const file = path.join(folder, 'large.safetensors');
  writeFileSync(file, '');
  // It has holes only, which take no room on the disk.
  truncateSync(file, 2 ** 31 + 1);
  const part = { path: 'large.safetensors', bytes: 2 ** 31 + 1, sha256: '' };
  const bundle = {
    description: { files: { denoisingUnet: part } },
    missing: new Set(),
    pathOf: () => file,
  } as unknown as Bundle;
  await warmDisk(bundle);
  rmSync(file);
  await assert.rejects(warmDisk(bundle), { code: 'ENOENT' });
});

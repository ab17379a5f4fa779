import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StudioEngines } from '../../src/pipeline/studio-engines.ts';

test('engines for further windows are opened once, and end with the others', async () => {
  const engines = new StudioEngines({
    ...{ device: 'cpu', threads: 2, onNotice: undefined, profileFolder: () => undefined },
  });
  try {
    assert.deepEqual(await engines.further(), []);
    const [further] = await engines.openFurther(1);
    const { denoising, side } = await engines.open();
    assert.equal(further!.device, denoising.device);
    assert.equal(new Set([further, denoising, side]).size, 3);
    assert.equal((await engines.openFurther(1))[0], further);
    assert.deepEqual(await engines.further(), [further]);
    await engines.dispose();
    await assert.rejects(further!.load('late', new Uint8Array()), /disposed of/);
    await assert.rejects(engines.openFurther(2), /disposed of/);
  } finally {
    await engines.dispose();
  }
});

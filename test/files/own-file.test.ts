import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, build } from 'esbuild';
import { EnvironmentError } from '../../src/errors.ts';
import { ownFile, ownUrl } from '../../src/files/own-file.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { ROOT } from '../helpers/run-program.ts';

const directory = temporaryDirectory();

test('a file that is there is found, one that is not is named', { timeout: 120_000 }, () => {
  writeFileSync(path.join(directory, 'a.txt'), '');
  const module = pathToFileURL(path.join(directory, 'code.js')).href;
  assert.equal(ownFile(ownUrl('./a.txt', module)).href, pathToFileURL(path.join(directory, 'a.txt')).href);
  assert.throws(
    () => ownFile(ownUrl('./b.txt', module)),
    (error) => error instanceof EnvironmentError && error.message.includes(path.join(directory, 'b.txt')),
  );
});

for (const [format, ending] of [
  ['esm', 'mjs'],
  ['cjs', 'cjs'],
] as const satisfies readonly (readonly [BuildOptions['format'], string])[]) {
  test(`an application that has the library inside one ${format} file learns what is missing`, {
    timeout: 600_000,
  }, async () => {
    const application = path.join(directory, `application-${format}.ts`);
    const clip = { portrait: 'a.jpg', audio: 'a.wav', output: path.join(directory, 'a.mp4') };
    writeFileSync(
      application,
      `import(${JSON.stringify(`${ROOT}src/index.ts`)})
        .then(({ planAnimation }) => planAnimation(${JSON.stringify(clip)}))
        .catch((error) => console.log(error.code + ': ' + error.message));`,
    );
    const bundled = path.join(directory, `application.${ending}`);
    await build({
      ...{ entryPoints: [application], outfile: bundled, bundle: true, packages: 'external' },
      ...{ platform: 'node', format, logLevel: 'silent' },
    });
    // Packages that it needs are found as an installed application finds them.
    if (format === 'esm') symlinkSync(path.join(ROOT, 'node_modules'), path.join(directory, 'node_modules'));
    const said = execFileSync(process.execPath, [bundled], { cwd: directory, encoding: 'utf8' });
    assert.match(said, /^ENVIRONMENT: Cannot find lcm-portrait's own files: expected /);
    if (format === 'esm') assert.match(said, /assets\/bundles\/?, got nothing there/);
    assert.match(said, /esbuild: --external:lcm-portrait/);
  });
}

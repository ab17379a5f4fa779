/** What the package declares, carries, and does when it is installed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { INSTALL_EMBEDDING } from '../src/face/face-embedding.ts';
import { temporaryDirectory } from './helpers/media.ts';
import { ROOT } from './helpers/run-program.ts';

const description = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  readonly dependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly peerDependenciesMeta: Record<string, { readonly optional: boolean }>;
  readonly allowScripts: Record<string, boolean>;
};

test('every package that the program loads is declared', () => {
  const declared = [
    description.dependencies,
    description.optionalDependencies,
    description.peerDependencies,
  ].flatMap(Object.keys);
  const src = path.join(ROOT, 'src');
  const undeclared = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(path.join(src, name), 'utf8'), true, true);
      return importedFiles
        .map(({ fileName }) => /^(@[^/]+\/[^/]+|[^./@][^/]*)/.exec(fileName)?.[0])
        .filter((module) => module !== undefined && !isBuiltin(module) && !declared.includes(module))
        .map((module) => `${name} loads ${module}`);
    });
  assert.deepEqual(undeclared, []);
});

test('packages that are loaded by name where somebody has them are optional peers', () => {
  const embedding = INSTALL_EMBEDDING.split(' ').at(-1)!;
  for (const name of [embedding, 'ffmpeg-static']) {
    assert.ok(name in description.peerDependencies, name);
    assert.deepEqual(description.peerDependenciesMeta[name], { optional: true });
  }
});

test('the package carries the program, its networks and samples, and nothing else', () => {
  const text = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files }] = JSON.parse(text) as [{ files: { path: string; size: number }[] }];
  const names = files.map((file) => file.path);
  const allowed =
    /^(dist\/|assets\/(bundles|face|kernels|matting|motion|page|portraits|speech)\/|install\/|(LICENSE|NOTICE|README\.md|package\.json)$)/;
  assert.deepEqual(
    names.filter((name) => !allowed.test(name)),
    [],
  );
  for (const needed of [
    ...['LICENSE', 'NOTICE', 'README.md', 'install/before.mjs', 'install/after.mjs'],
    ...['assets/bundles/tiny/bundle.json', 'assets/face/face-detector.onnx', 'assets/portraits/ada.jpg'],
    ...['assets/motion/natural.motion', 'assets/page/index.html'],
    ...['assets/kernels/pixels.wasm', 'assets/kernels/noise.wasm', 'assets/matting/person-matte.onnx'],
  ]) {
    assert.ok(names.includes(needed), needed);
  }
  const bytes = files
    .filter(({ path: name }) => !name.startsWith('dist/'))
    .reduce((sum, { size }) => sum + size, 0);
  assert.ok(bytes < 34e6, `${bytes} bytes of assets`);
});

const folder = temporaryDirectory();
const own = `${process.platform}/${process.arch}`;

/** A project in which this package and ONNX Runtime lie as npm puts them, with small files for large ones. */
function fakeProject(name: string, packages = 'node_modules'): string {
  const modules = path.join(folder, name, packages);
  cpSync(path.join(ROOT, 'install'), path.join(modules, 'lcm-portrait/install'), { recursive: true });
  const files: Record<string, string> = {
    'package.json': '{ "name": "onnxruntime-node", "main": "dist/index.js" }',
    'dist/index.js': '',
    'script/install.js': "console.log('fetches');",
    [`bin/napi-v6/${own}/onnxruntime_binding.node`]: '',
    'bin/napi-v6/other/x64/onnxruntime_binding.node': '',
    [`bin/napi-v6/${process.platform}/other/library`]: '',
  };
  for (const [file, contents] of Object.entries(files)) {
    const place = path.join(modules, 'onnxruntime-node', file);
    mkdirSync(path.dirname(place), { recursive: true });
    writeFileSync(place, contents);
  }
  const other = path.join(modules, 'fluent-ffmpeg');
  mkdirSync(path.join(other, 'coverage'), { recursive: true });
  for (const file of ['index.js', 'coverage/index.html']) writeFileSync(path.join(other, file), '');
  return modules;
}

function run(file: string, env: Record<string, string> = {}, ...args: string[]): string {
  const { ONNXRUNTIME_NODE_INSTALL: _, ...inherited } = process.env;
  return execFileSync(process.execPath, [file, ...args], { encoding: 'utf8', env: { ...inherited, ...env } });
}

test('ONNX Runtime’s script fetches only when it is asked to, once this package is there', () => {
  const modules = fakeProject('tamed');
  const script = path.join(modules, 'onnxruntime-node/script/install.js');
  assert.equal(run(script), 'fetches\n');
  const before = path.join(modules, 'lcm-portrait/install/before.mjs');
  for (let time = 0; time < 2; time++) {
    assert.equal(run(before), '');
    assert.equal(run(script), '');
    assert.equal(run(script, { ONNXRUNTIME_NODE_INSTALL: 'cuda12' }), 'fetches\n');
    assert.equal(run(script, {}, '--onnxruntime-node-install=cuda12'), 'fetches\n');
  }
});

test('libraries of other systems and a report of tests go, and those of a layout that is not known stay', () => {
  const modules = fakeProject('pruned');
  const bin = path.join(modules, 'onnxruntime-node/bin/napi-v6');
  const after = path.join(modules, 'lcm-portrait/install/after.mjs');
  run(after);
  assert.ok(existsSync(path.join(bin, own, 'onnxruntime_binding.node')));
  assert.ok(!existsSync(path.join(bin, 'other')) && !existsSync(path.join(bin, process.platform, 'other')));
  assert.deepEqual(readdirSync(path.join(modules, 'fluent-ffmpeg')), ['index.js']);
  run(after);

  const unknown = fakeProject('unknown');
  const binary = path.join(unknown, 'onnxruntime-node/bin/napi-v6', own, 'onnxruntime_binding.node');
  cpSync(binary, `${binary}.moved`);
  execFileSync(process.execPath, ['-e', `fs.rmSync(${JSON.stringify(binary)})`]);
  run(path.join(unknown, 'lcm-portrait/install/after.mjs'));
  assert.ok(existsSync(path.join(unknown, 'onnxruntime-node/bin/napi-v6/other/x64')));
});

test('in a repository nothing is changed, and without ONNX Runtime nothing fails', () => {
  const modules = fakeProject('repository', 'packages');
  for (const name of ['before', 'after']) run(path.join(modules, `lcm-portrait/install/${name}.mjs`));
  const runtime = path.join(modules, 'onnxruntime-node');
  assert.equal(readFileSync(path.join(runtime, 'script/install.js'), 'utf8'), "console.log('fetches');");
  assert.ok(existsSync(path.join(runtime, 'bin/napi-v6/other/x64')));
  assert.ok(existsSync(path.join(modules, 'fluent-ffmpeg/coverage')));

  const alone = path.join(folder, 'alone/node_modules/lcm-portrait');
  cpSync(path.join(ROOT, 'install'), path.join(alone, 'install'), { recursive: true });
  assert.equal(run(path.join(alone, 'install/before.mjs')), '');
  execFileSync(process.execPath, [path.join(alone, 'install/after.mjs')], { stdio: 'ignore' });
});

/**
 * Packs the project, installs the package in an empty project with an empty home, and uses it:
 *
 *   npm run test:package
 *
 * Needs a registry, and no other server: what asks for one fails behind a firewall, and so does this.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** All that is installed takes no more than this: a library of another system, or a second ffmpeg, would. */
const MOST_BYTES = 225e6;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const isWindows = process.platform === 'win32';

const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-package-'));
try {
  const [packed] = JSON.parse(npm(ROOT, 'pack', '--json', '--pack-destination', folder)) as [
    { filename: string; size: number; entryCount: number },
  ];
  console.log(`package     ${megabytes(packed.size)}, ${packed.entryCount} files`);

  const project = path.join(folder, 'project');
  const home = path.join(folder, 'home');
  for (const each of [project, home]) mkdirSync(each);
  writeFileSync(path.join(project, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }');
  const registry = npm(ROOT, 'config', 'get', 'registry').trim();
  const env = {
    ...process.env,
    HOME: home,
    USERPROFILE: home,
    npm_config_registry: registry,
    npm_config_cache: path.join(home, 'npm'),
  };
  for (const name of Object.keys(env))
    if (/^onnxruntime_node_install|^npm_config_onnx/i.test(name)) delete env[name as keyof typeof env];
  execFileSync('npm', ['install', '--no-audit', '--no-fund', path.join(folder, packed.filename)], {
    cwd: project,
    env,
    stdio: 'inherit',
    shell: isWindows,
  });
  const modules = path.join(project, 'node_modules');
  const bytes = bytesIn(modules);
  console.log(`installed   ${megabytes(bytes)}`);
  expect(bytes <= MOST_BYTES, `at most ${megabytes(MOST_BYTES)} in node_modules`, megabytes(bytes));
  const bin = path.join(modules, 'onnxruntime-node/bin');
  const systems = readdirSync(bin).flatMap((version) => readdirSync(path.join(bin, version)));
  expect(systems.join() === process.platform, `libraries of ${process.platform} alone`, systems.join());

  const program = path.join(modules, 'lcm-portrait/dist/cli/main.js');
  const lcmPortrait = (...args: string[]): string =>
    execFileSync(process.execPath, [program, ...args], {
      cwd: project,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  expect(
    existsSync(path.join(modules, '.bin', isWindows ? 'lcm-portrait.cmd' : 'lcm-portrait')),
    'a command lcm-portrait',
    'none',
  );
  const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  const printed = lcmPortrait('--version').trim();
  expect(printed === version, `version ${version}`, printed);
  const help = lcmPortrait('--help');
  expect(/animate[\s\S]*batch[\s\S]*doctor/.test(help), 'a list of commands', help);
  console.log(lcmPortrait('doctor'));
  const assets = path.join(modules, 'lcm-portrait/assets');
  const inputs = [
    '--portrait',
    path.join(assets, 'portraits/ada.jpg'),
    '--audio',
    path.join(assets, 'speech/short.wav'),
  ];
  const plan = lcmPortrait('animate', ...inputs, '--output', 'talk.mp4', '--dry-run');
  expect(/\d+ frames at \d+ fps/.test(plan), 'a plan of the clip', plan);
  const library = "import { animate } from 'lcm-portrait'; console.log(typeof animate);";
  const loaded = execFileSync(process.execPath, ['--input-type=module', '-e', library], {
    cwd: project,
    env,
    encoding: 'utf8',
  });
  expect(loaded.trim() === 'function', 'a function animate', loaded);
  console.log('The package installs, and works.');
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function npm(cwd: string, ...args: string[]): string {
  return execFileSync('npm', args, {
    cwd,
    encoding: 'utf8',
    shell: isWindows,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

function expect(isSo: boolean, expected: string, got: string): void {
  if (!isSo) throw new Error(`Cannot use the package: expected ${expected}, got ${got}`);
}

function bytesIn(place: string): number {
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

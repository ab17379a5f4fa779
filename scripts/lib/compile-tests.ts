/**
 * JavaScript of src, test and scripts, in a copy of the repository's tree, for the tests: a loader that translates modules
 * in every process, and in each of its threads, costs a second of computing for each program that a test starts.
 */
import { cpSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

/** Folders with modules; those in them that have none are linked, as all else that is not made or installed. */
const COMPILED = ['src', 'test', 'scripts'];
const LEFT_OUT = ['.git', 'node_modules', 'dist', 'build', 'out'];
/** Programs in a language of its own, of TypeScript's syntax. */
const OTHER = ['pixel-kernels', 'noise-kernel'];
/** An import of a module by its source's name, as esbuild prints it. */
const IMPORT = /(\b(?:from|import) ?\(?)"(\.{1,2}\/[^"\n]*)\.ts"/g;

const isModule = (name: string): boolean => name.endsWith('.ts') && !name.endsWith('.d.ts');

/**
 * Writes the tree, about two seconds' work.
 *
 * @param root - The repository's folder.
 * @returns The tree's folder, this process's own, to be removed by the caller. It lies inside `root`, so that packages are
 *   found from there, and has all that modules find by their own place: assets, golden numbers, package.json.
 */
export async function compileTests(root: string): Promise<string> {
  const trees = path.join(root, 'build', 'tests');
  mkdirSync(trees, { recursive: true });
  // Of processes that were killed.
  for (const name of readdirSync(trees))
    if (!isRunning(Number(name))) rmSync(path.join(trees, name), { recursive: true, force: true });
  const tree = path.join(trees, String(process.pid));
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree);
  const modules: string[] = [];
  for (const name of readdirSync(root)) {
    if (LEFT_OUT.includes(name)) continue;
    if (!COMPILED.includes(name)) link(path.join(root, name), path.join(tree, name));
    else mirror(path.join(root, name), path.join(tree, name), modules);
  }
  const { outputFiles } = await build({
    entryPoints: modules,
    outbase: root,
    outdir: tree,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    sourcesContent: false,
  });
  for (const { path: file, text } of outputFiles) writeFileSync(file, text.replace(IMPORT, '$1"$2.js"'));
  return tree;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Makes the folder `target` with what `source` has, and adds the modules in it to `modules`. */
function mirror(source: string, target: string, modules: string[]): void {
  const names = readdirSync(source, { recursive: true, encoding: 'utf8' });
  if (OTHER.includes(path.basename(source)) || !names.some(isModule)) {
    link(source, target);
    return;
  }
  mkdirSync(target);
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const from = path.join(source, entry.name);
    if (entry.isDirectory()) mirror(from, path.join(target, entry.name), modules);
    else if (isModule(entry.name)) modules.push(from);
    else link(from, path.join(target, entry.name));
  }
}

/** A link, or a copy where links take rights that not everybody has: of files, on Windows. */
function link(source: string, target: string): void {
  if (lstatSync(source).isDirectory()) symlinkSync(source, target, 'junction');
  else if (process.platform === 'win32') cpSync(source, target);
  else symlinkSync(source, target);
}

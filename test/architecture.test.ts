/** Imports point down, and each outside power has one folder. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { ROOT } from './helpers/run-program.ts';

const SRC = path.join(ROOT, 'src/');

/** Folders from the top down; those of one layer do not know each other. */
const LAYERS: readonly (readonly string[])[] = [
  ['index.ts'],
  ['cli'],
  ['serve'],
  ['jobs', 'compare'],
  ['pipeline'],
  ['scene', 'networks', 'denoising'],
  ['tracking', 'driving'],
  ['bundles'],
  ['motion', 'face'],
  ['models', 'metrics'],
  ['onnx', 'weights', 'runtime', 'image', 'media', 'schedulers'],
  ['tensor', 'files', 'html', 'pixels'],
  ['errors.ts'],
];

/** Packages and Node.js modules that only some folders may import. */
const OWNERS: readonly (readonly [module: RegExp, ...folders: string[]])[] = [
  [/^onnxruntime/, 'runtime'],
  [/^(node:)?worker_threads$/, 'runtime'],
  [/^(node:)?child_process$/, 'media', 'runtime'],
  [/^fluent-ffmpeg$/, 'media'],
  [/^sharp$/, 'image'],
  [/^commander$/, 'cli'],
  [/^(bullmq|ioredis)$/, 'jobs'],
  [/^(hono|@hono|@fastify|(node:)?https?)(\/|$)/, 'serve'],
];

interface SourceFile {
  /** Relative to src, with slashes. */
  readonly name: string;
  readonly syntax: ts.SourceFile;
  /** As written; includes dynamic ones and types. */
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const text = readFileSync(path.join(SRC, name), 'utf8');
    return {
      name: name.replaceAll(path.sep, '/'),
      syntax: ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true),
      imports: ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName),
    };
  });

/** Imports of the project's own files, relative to src. */
function localImports({ name, imports }: SourceFile): string[] {
  return imports
    .filter((target) => target.startsWith('.'))
    .map((target) => path.posix.join(path.posix.dirname(name), target));
}

/** The folder directly under src, or the file's own name. */
function partOf(name: string): string {
  return name.split('/', 1)[0]!;
}

function layerOf(name: string): number {
  return LAYERS.findIndex((layer) => layer.includes(partOf(name)));
}

/** `file:line` of every node that `matches`. */
function findNodes(matches: (node: ts.Node) => boolean, inFiles = files): string[] {
  const found: string[] = [];
  for (const { name, syntax } of inFiles) {
    const visit = (node: ts.Node): void => {
      if (matches(node)) {
        found.push(`${name}:${syntax.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(syntax);
  }
  return found;
}

/** Names that a statement declares. */
function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) =>
      ts.isIdentifier(name) ? [name.text] : [],
    );
  }
  const { name } = statement as ts.DeclarationStatement;
  return name === undefined ? [] : [name.text];
}

test('every layer has its folders', () => {
  const parts = new Set(files.map(({ name }) => partOf(name)));
  assert.deepEqual(
    LAYERS.flat().filter((part) => !parts.has(part)),
    [],
  );
});

test('every folder has a layer', () => {
  assert.deepEqual(
    files.map(({ name }) => name).filter((name) => layerOf(name) < 0),
    [],
  );
});

test('imports point down, and siblings do not know each other', () => {
  const wrong = files.flatMap((file) =>
    localImports(file)
      .filter((target) => partOf(target) !== partOf(file.name) && layerOf(target) <= layerOf(file.name))
      .map((target) => `${file.name} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('no file imports itself by way of others', () => {
  const edges = new Map(files.map((file) => [file.name, localImports(file)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (name: string, trail: readonly string[]): void => {
    if (trail.includes(name)) cycles.push([...trail.slice(trail.indexOf(name)), name].join(' → '));
    if (done.has(name) || trail.includes(name)) return;
    for (const target of edges.get(name) ?? []) visit(target, [...trail, name]);
    done.add(name);
  };
  for (const { name } of files) visit(name, []);
  assert.deepEqual(cycles, []);
});

for (const [module, ...folders] of OWNERS) {
  test(`only ${folders.join(' and ')} imports ${module.source}`, () => {
    const wrong = files.filter(
      ({ name, imports }) => !folders.includes(partOf(name)) && imports.some((target) => module.test(target)),
    );
    assert.deepEqual(
      wrong.map(({ name }) => name),
      [],
    );
  });
}

test('only the command line prints and reads the environment', () => {
  // A call of the library has no command line above it: where a job begins, it looks for ffmpeg on PATH.
  const below = files.filter(({ name }) => partOf(name) !== 'cli' && name !== 'pipeline/machine-places.ts');
  const isMember = (node: ts.Node, object: string, members?: readonly string[]) =>
    ts.isPropertyAccessExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === object &&
    (members?.includes(node.name.text) ?? true);
  const found = findNodes(
    (node) => isMember(node, 'console') || isMember(node, 'process', ['env', 'stdout', 'stderr', 'exit']),
    below,
  );
  assert.deepEqual(found, []);
});

test('exports have names', () => {
  const found = findNodes(
    (node) =>
      ts.isExportAssignment(node) || (node.kind === ts.SyntaxKind.DefaultKeyword && ts.isModifier(node)),
  );
  assert.deepEqual(found, []);
});

test('what a file exports is used by another', () => {
  const users = new Map<string, Set<string>>();
  for (const folder of ['src', 'test', 'scripts']) {
    for (const name of readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const file = path.join(ROOT, folder, name);
      for (const [word] of readFileSync(file, 'utf8').matchAll(/\w+/g)) {
        users.set(word, (users.get(word) ?? new Set()).add(file));
      }
    }
  }
  const unused = files.flatMap(({ name, syntax }) =>
    syntax.statements
      .filter((statement) => ts.canHaveModifiers(statement))
      .filter((statement) =>
        ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword),
      )
      .flatMap(declaredNames)
      .filter((exported) => (users.get(exported)?.size ?? 0) < 2)
      .map((exported) => `${name} exports ${exported}`),
  );
  assert.deepEqual(unused, []);
});

test('src/index.ts is the only file that does nothing but pass on', () => {
  const barrels = files.filter(
    ({ name, syntax }) => name !== 'index.ts' && syntax.statements.every(ts.isExportDeclaration),
  );
  assert.deepEqual(
    barrels.map(({ name }) => name),
    [],
  );
});

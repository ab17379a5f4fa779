/**
 * Bundles: a folder with `bundle.json`, which describes the networks, and one safetensors file for each of them.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ModelError } from '../errors.ts';
import { hashFile } from '../files/hash-file.ts';
import { ownFile, ownUrl } from '../files/own-file.ts';
import type { LoraFile } from '../weights/lora.ts';
import {
  BUNDLE_FORMAT,
  type BundleDescription,
  type BundleFile,
  type BundlePart,
  type BundlePreset,
} from './bundle-description.ts';

export type { BundleDescription, BundlePart, BundlePreset } from './bundle-description.ts';

/** A folder with a bundle in a certain state. */
export interface BundleState {
  readonly folder: string;
  /**
   * Another one when the bundle is replaced in its place: made of bundle.json, with the hashes that it declares, and of the
   * files' sizes, numbers and times.
   */
  readonly fingerprint: string;
  /** What bundle.json says, as it was checked then. */
  readonly declared?: BundleDescription;
}

/** A bundle on disk. */
export interface Bundle extends BundleState {
  readonly description: BundleDescription;
  /** LoRAs that presets name and that are not there; presets without them can be used. */
  readonly missing: ReadonlySet<BundlePart>;
  /**
   * Absolute path of a part.
   *
   * @throws {@link ModelError} if the bundle has no such part.
   */
  pathOf(part: BundlePart): string;
}

/** What another thread opens it again by. */
export function bundleState({ folder, fingerprint, declared }: Bundle): BundleState {
  return { folder, fingerprint, ...(declared && { declared }) };
}

/** Folder of the bundles that the package carries. */
export const EMBEDDED_BUNDLES = fileURLToPath(ownUrl('../../assets/bundles/', import.meta.url));

/** Names of the bundles that the package carries. */
export function listEmbeddedBundles(): Promise<string[]> {
  return listFolders(EMBEDDED_BUNDLES);
}

/** Names of the folders in a folder, but hidden ones; none where there is no such folder. */
async function listFolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
}

/**
 * Opens a bundle and checks that its files are there in the size that it states; hashes are left to
 * {@link verifyBundle}. A LoRA may be missing as long as no preset in use names it.
 *
 * @param nameOrFolder - the name of an embedded bundle or of one in `store`, or a folder.
 * @param store - folder of the user's bundles.
 * @throws {@link EnvironmentError} if the package's own files are missing.
 * @throws {@link ModelError} if there is no such bundle, or if it is incomplete or of another version.
 */
export function openBundle(nameOrFolder: string, store?: string): Promise<Bundle> {
  return open(nameOrFolder, store);
}

/** @param declared - what bundle.json says if it is as it was when this was checked, which the fingerprint tells. */
async function open(nameOrFolder: string, store?: string, declared?: BundleDescription): Promise<Bundle> {
  ownFile(pathToFileURL(EMBEDDED_BUNDLES));
  const embedded = await listEmbeddedBundles();
  const stored = store === undefined ? [] : await listFolders(store);
  const folder = embedded.includes(nameOrFolder)
    ? path.join(EMBEDDED_BUNDLES, nameOrFolder)
    : store !== undefined && stored.includes(nameOrFolder)
      ? path.join(store, nameOrFolder)
      : path.resolve(nameOrFolder);
  const file = path.join(folder, 'bundle.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new ModelError(
      `Cannot open bundle ${nameOrFolder}: expected a folder with bundle.json or one of ${[...embedded, ...stored].join(', ')}`,
      file,
      { cause },
    );
  }
  const description = declared ?? (await readDescription(nameOrFolder, file, text));
  const loras = new Set(
    Object.values(description.presets).flatMap((preset) => preset.loras.map(({ part }) => part)),
  );
  const missing = new Set([...loras].filter((part) => description.files[part] === undefined));
  const fingerprint = createHash('sha256').update(text);
  for (const [part, { path: name, bytes }] of Object.entries(description.files) as [
    BundlePart,
    BundleFile,
  ][]) {
    const found = await stat(path.join(folder, name)).catch(() => undefined);
    if (found === undefined && loras.has(part)) missing.add(part);
    else if (found?.size !== bytes) {
      throw new ModelError(
        `Cannot open bundle ${nameOrFolder}: expected ${part} of ${bytes} bytes, got ${found?.size ?? 'no file'}; fetch the bundle again`,
        path.join(folder, name),
      );
    }
    fingerprint.update(JSON.stringify([name, found?.size, found?.mtimeMs, found?.ino]));
  }
  return {
    folder,
    fingerprint: fingerprint.digest('hex'),
    declared: description,
    description,
    missing,
    pathOf: (part) => {
      const found = description.files[part];
      if (found === undefined || missing.has(part)) throw missingPart(description, part, file);
      return path.join(folder, found.path);
    },
  };
}

/**
 * Opens a bundle again, in another thread or later.
 *
 * @throws {@link ModelError} if it was replaced or changed meanwhile: what is made of it would not be what was asked for.
 */
export async function reopenBundle({ folder, fingerprint, declared }: BundleState): Promise<Bundle> {
  const same = declared && (await open(folder, undefined, declared).catch(() => undefined));
  if (same?.fingerprint === fingerprint) return same;
  const bundle = await openBundle(folder);
  if (bundle.fingerprint === fingerprint) return bundle;
  throw new ModelError(
    `Cannot use bundle ${bundle.description.name}: expected the files that were there when the job began, got others: the bundle was replaced meanwhile; start the job again`,
    path.join(folder, 'bundle.json'),
  );
}

function missingPart({ name, presets }: BundleDescription, part: BundlePart, file: string): ModelError {
  const others = Object.entries(presets).filter(([, { loras }]) => loras.every((lora) => lora.part !== part));
  const way = others.length === 1 ? ` or use its preset ${others[0]![0]}` : '';
  return new ModelError(
    `Cannot use bundle ${name}: expected a file for ${part}, got none; fetch the bundle again${way}`,
    file,
  );
}

/** How many problems of a description a message names. */
const LISTED_PROBLEMS = 12;

async function readDescription(bundle: string, file: string, text: string): Promise<BundleDescription> {
  // Threads that open a bundle again do without it: its checks are a tenth of a second of modules.
  const { parseBundleDescription } = await import('./bundle-schema.ts');
  const fail = (expected: string, cause?: unknown): ModelError =>
    new ModelError(`Cannot open bundle ${bundle}: ${expected}`, file, { cause });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw fail('bundle.json is not valid JSON', cause);
  }
  const version = (json as { formatVersion?: unknown } | null)?.formatVersion;
  if (version !== BUNDLE_FORMAT) {
    throw fail(`expected format version ${BUNDLE_FORMAT}, got ${JSON.stringify(version)}`);
  }
  const parsed = parseBundleDescription(json, { withoutLoras: true });
  if ('description' in parsed) return parsed.description;
  const { problems } = parsed;
  const more = problems.length > LISTED_PROBLEMS ? `; ${problems.length - LISTED_PROBLEMS} more` : '';
  throw fail(
    `bundle.json is wrong in ${problems.length} places: ${problems.slice(0, LISTED_PROBLEMS).join('; ')}${more}`,
  );
}

/** The LoRAs of a preset, as files. */
export function loraFilesOf(bundle: Bundle, { loras }: Pick<BundlePreset, 'loras'>): LoraFile[] {
  return loras.map(({ part, scale }) => ({ path: bundle.pathOf(part), scale }));
}

/** The files of a bundle that are there, with the part that each of them is. */
export function filesOf({ description, missing }: Bundle): [BundlePart, BundleFile][] {
  const files = Object.entries(description.files) as [BundlePart, BundleFile][];
  return files.filter(([part]) => !missing.has(part));
}

/** Options of {@link verifyBundle}. */
export interface VerifyOptions {
  readonly signal?: AbortSignal;
  /** Called with the bytes that have been read. */
  readonly onBytes?: (done: number) => void;
}

/**
 * Reads every file of a bundle and compares its hash.
 *
 * @throws {@link ModelError} naming every file that was changed.
 */
export async function verifyBundle(bundle: Bundle, options: VerifyOptions = {}): Promise<void> {
  const { signal, onBytes } = options;
  for (const part of bundle.missing) bundle.pathOf(part); // throws
  let done = 0;
  const changed: { readonly file: string; readonly text: string }[] = [];
  for (const [part, { sha256 }] of filesOf(bundle)) {
    const file = bundle.pathOf(part);
    const { sha256: found } = await hashFile(file, {
      signal,
      onBytes: (bytes) => {
        done += bytes;
        onBytes?.(done);
      },
    });
    if (found !== sha256) changed.push({ file, text: `${file} (expected SHA-256 ${sha256}, got ${found})` });
  }
  const [first] = changed;
  if (first === undefined) return;
  throw new ModelError(
    `Cannot use bundle ${bundle.description.name}: expected the files that its bundle.json describes, got changed ones: ` +
      `${changed.map(({ text }) => text).join(', ')}; fetch or import the bundle again`,
    first.file,
  );
}

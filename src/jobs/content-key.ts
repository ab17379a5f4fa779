/**
 * What makes one clip differ from another, as a hash: the contents of its files, its options, and the program's way of
 * rendering. Names and places of files do not count, nor does where the networks run.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { describeFileProblem, MediaError } from '../errors.ts';
import { hashFile } from '../files/hash-file.ts';
import { filesOf } from '../models/bundle.ts';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import { locateHeadMotion } from '../pipeline/head-motions.ts';
import { openNamedBundle } from '../pipeline/machine-places.ts';
import { contentOf, OPTION_NAMES, specOf } from '../pipeline/options/clip-keys.ts';
import { resolveOptions } from '../pipeline/resolve-options.ts';
import { chooseSettings, presetOf } from '../pipeline/resolve-sampling.ts';
import { isBackgroundWord } from '../scene/background-words.ts';
import { type LoraFile, openLora } from '../weights/lora.ts';

/** To be raised when the same inputs and options give another video than before. */
const RENDER_VERSION = 14;

/** Hashes files, each once while it stays as it is. */
export class FileHashes {
  readonly #hashes = new Map<string, { readonly version: string; readonly hash: Promise<string> }>();

  /** SHA-256 of a file in hexadecimal. @throws {@link MediaError} if it cannot be read. */
  async of(file: string): Promise<string> {
    try {
      const { size, mtimeNs, ino, dev } = await stat(file, { bigint: true });
      const version = `${dev}:${ino}:${size}:${mtimeNs}`;
      let known = this.#hashes.get(file);
      if (known?.version !== version) {
        known = { version, hash: hashFile(file).then(({ sha256 }) => sha256) };
        known.hash.catch(() => this.#hashes.delete(file));
        this.#hashes.set(file, known);
      }
      return await known.hash;
    } catch (error) {
      throw new MediaError(`Cannot read ${file}: expected a file, got ${describeFileProblem(error)}`, file, {
        cause: error,
      });
    }
  }
}

/**
 * The key of a clip, 64 hexadecimal digits.
 *
 * @throws {@link InvalidOptionError} if the bundle has no preset of the name.
 * @throws {@link MediaError} if a file cannot be read.
 * @throws {@link ModelError} if the bundle or a LoRA cannot be opened.
 */
export async function contentKey(options: AnimateOptions, hashes: FileHashes): Promise<string> {
  const resolved = resolveOptions(options);
  const bundle = await openNamedBundle(resolved);
  const preset = presetOf(bundle, resolved.preset);
  const parts = filesOf(bundle)
    .map(([part]) => part)
    .sort();
  const described: Record<string, unknown> = {};
  for (const key of OPTION_NAMES) {
    const value = resolved[key];
    const content = contentOf(specOf(key));
    if (content === 'value') described[key] = value;
    else if (content === 'contents' && value !== undefined) described[key] = await hashes.of(String(value));
  }
  // The preset's choice and the same one by hand are one clip.
  Object.assign(described, chooseSettings(preset, resolved), {
    fps: resolved.fps ?? bundle.description.fps,
    headMotion:
      resolved.headMotion === undefined ? undefined : await hashes.of(locateHeadMotion(resolved.headMotion)),
    background: await describeBackground(resolved.background, hashes),
    loras: await Promise.all((resolved.loras ?? []).map((lora) => describeLora(lora, hashes))),
    bundle: {
      description: bundle.description,
      files: await Promise.all(parts.map(async (part) => [part, await hashes.of(bundle.pathOf(part))])),
    },
  });
  const text = canonicalJson({ version: RENDER_VERSION, ...described });
  return createHash('sha256').update(text).digest('hex');
}

/** What stands behind the person, a picture by its content. */
async function describeBackground(
  background: string | undefined,
  hashes: FileHashes,
): Promise<string | undefined> {
  return background === undefined || isBackgroundWord(background) ? background : hashes.of(background);
}

/** A LoRA by its content and scale; some have their own scales in a file next to them. */
async function describeLora({ path, scale }: LoraFile, hashes: FileHashes): Promise<unknown[]> {
  const hash = await hashes.of(path);
  const lora = openLora(path);
  lora.dispose();
  const { configPath } = lora;
  return configPath === undefined ? [hash, scale] : [hash, scale, await hashes.of(configPath)];
}

/** JSON with sorted keys, so that equal values give equal text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

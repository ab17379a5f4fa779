/** Checks of an output path that must fail before heavy work. */
import type { Stats } from 'node:fs';
import { open, readdir, readlink, realpath, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { InvalidOptionError, isForeignName, MediaError } from '../errors.ts';
import { partialPath } from '../files/partial-name.ts';
import { outputFormatOf } from './output-formats.ts';

/** Frames of a folder: `000001.png`. */
export const FRAME_NAME = /^\d{6,}\.png$/;

/**
 * The absolute path of an output as seen from `base`; the `/` at the end, which says that it is a folder, stays, and so
 * does `-`.
 *
 * @example
 * resolveOutput('/videos', 'frames/'); // '/videos/frames/'
 */
export function resolveOutput(base: string, outputPath: string): string {
  if (outputPath === '-') return outputPath;
  const resolved = path.resolve(base, outputPath);
  return /[/\\]$/.test(outputPath) && !resolved.endsWith(path.sep) ? `${resolved}${path.sep}` : resolved;
}

/** Options of {@link prepareOutput}. */
interface PrepareOutputOptions {
  /** Whether a file that exists may be replaced. @defaultValue false */
  readonly force?: boolean;
  /** Files that the output must not replace, forced or not: the job's own inputs. */
  readonly inputs?: readonly string[];
}

/**
 * Checks that a video can be written to `outputPath`; leaves nothing there.
 *
 * @returns the absolute path, which keeps the `/` of a folder; `-` stays as it is.
 * @throws {@link InvalidOptionError} if the extension is not supported, or the output is one of the inputs.
 * @throws {@link MediaError} if the folder does not exist or cannot be written, if the path is a folder, or if a file is
 *   there and `force` is not set.
 */
export async function prepareOutput(outputPath: string, options: PrepareOutputOptions = {}): Promise<string> {
  const { force = false, inputs = [] } = options;
  const { place } = outputFormatOf(outputPath);
  // Standard output has no name, and nothing there is replaced.
  if (place === 'stream') return outputPath;
  const named = resolveOutput('', outputPath);
  const target = place === 'file' ? await followLinks(named) : named;
  const refuse = (expected: string, got: string, cause?: unknown) =>
    new MediaError(`Cannot write ${outputPath}: expected ${expected}, got ${got}`, outputPath, { cause });
  const taken = () =>
    new MediaError(
      [
        `Cannot write ${outputPath}: expected a new file, got one that exists; choose another name, or set `,
        { option: 'overwrite', value: true },
      ],
      outputPath,
    );

  if (isForeignName(target))
    throw refuse('a path in UTF-8', 'one that is not; choose another name or folder');
  const directory = path.dirname(target);
  const parent = await statIfAny(directory);
  if (parent === undefined) throw refuse('a folder that exists', `${directory}; create it first`);
  if (!parent.isDirectory()) throw refuse('a folder', `${directory}, which is a file`);
  const existing = await statIfAny(target);
  if (existing?.isDirectory() && place === 'file') throw refuse('a file name', 'a folder');
  if (existing?.isFile() && place === 'folder') throw refuse('the name of a folder', 'a file');
  if (place === 'folder' && existing && !(await isFolderOfFrames(target))) {
    throw refuse('a new folder, or one of numbered PNGs alone', 'one with other files; choose another name');
  }
  if (existing && (place === 'file' || (await readdir(target)).length > 0)) {
    const real = await realpath(target);
    for (const input of inputs) {
      if ((await realpath(input).catch(() => undefined)) !== real) continue;
      const problem = {
        refusal: `Cannot write ${outputPath}`,
        expected: 'another file than the input',
        got: `the input ${input}`,
      };
      throw new InvalidOptionError(problem, 'output', outputPath);
    }
    if (!force) throw taken();
  }
  // Access rights do not tell of read-only disks, and mean nothing to root: try it.
  const trial = partialPath(target);
  try {
    await (await open(trial, 'wx')).close();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refuse('a folder that can be written', `${directory} (${code}); choose another folder`, error);
  } finally {
    await rm(trial, { force: true }).catch(() => {});
  }
  return target;
}

/** Links lead on where the video goes, also to where nothing is yet: a rename would put the video in the link's place. */
async function followLinks(file: string): Promise<string> {
  let target = file;
  // As many as Linux follows; a circle is left to the check that finds it.
  for (let links = 0; links < 40; links++) {
    const next = await readlink(target).catch(() => undefined);
    if (next === undefined) return target;
    target = path.resolve(path.dirname(target), next);
  }
  return file;
}

/** A folder that an output may replace is empty, or holds numbered PNGs alone: nothing else is ever removed. */
async function isFolderOfFrames(folder: string): Promise<boolean> {
  return (await readdir(folder)).every((name) => FRAME_NAME.test(name));
}

async function statIfAny(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch {
    return undefined;
  }
}

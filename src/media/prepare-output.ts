/** Checks of an output path that must fail before heavy work. */
import type { Stats } from 'node:fs';
import { open, realpath, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { InvalidOptionError, MediaError } from '../errors.ts';
import { partialPath } from '../files/partial-name.ts';

/**
 * Containers by file extension, with ffmpeg's names. Matroska is not among them: it cannot say that picture and sound of a
 * stream with reordered frames begin together.
 */
const CONTAINERS: Readonly<Record<string, string>> = { '.mp4': 'mp4', '.m4v': 'mp4', '.mov': 'mov' };

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
 * @returns the absolute path.
 * @throws {@link InvalidOptionError} if the extension is not supported, or the output is one of the inputs.
 * @throws {@link MediaError} if the folder does not exist or cannot be written, if the path is a folder, or if a file is
 *   there and `force` is not set.
 */
export async function prepareOutput(outputPath: string, options: PrepareOutputOptions = {}): Promise<string> {
  const { force = false, inputs = [] } = options;
  containerOf(outputPath);
  const target = path.resolve(outputPath);
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

  const directory = path.dirname(target);
  const parent = await statIfAny(directory);
  if (parent === undefined) throw refuse('a folder that exists', `${directory}; create it first`);
  if (!parent.isDirectory()) throw refuse('a folder', `${directory}, which is a file`);
  const existing = await statIfAny(target);
  if (existing?.isDirectory()) throw refuse('a file name', 'a folder');
  if (existing) {
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

/**
 * ffmpeg's name of the container for a file name.
 *
 * @throws {@link InvalidOptionError} if the extension is not supported.
 */
export function containerOf(outputPath: string): string {
  const container = CONTAINERS[path.extname(outputPath).toLowerCase()];
  if (container !== undefined) return container;
  throw new InvalidOptionError(
    `Cannot write ${outputPath}: expected a name that ends in ${Object.keys(CONTAINERS).join(', ')}, ` +
      `got ${path.extname(outputPath) || 'no extension'}`,
    'output',
    outputPath,
  );
}

async function statIfAny(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch {
    return undefined;
  }
}

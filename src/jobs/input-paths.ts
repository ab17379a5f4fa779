/** The files that a manifest means by a path or a pattern. */
import { existsSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { describeFileProblem } from '../errors.ts';
import { expandHome } from '../files/home-path.ts';
import { describeSpelling, visible } from './path-spelling.ts';

/** Files, or why there are none, in words that follow "cannot read portrait". */
type FoundFiles =
  | { readonly files: readonly string[]; readonly problem?: undefined }
  | { readonly files?: undefined; readonly problem: string };

/** Looks at each file once, however many jobs use it. */
export class InputPaths {
  readonly #base: string;
  readonly #problems = new Map<string, Promise<string | undefined>>();

  /** @param base - where relative paths start. */
  constructor(base: string) {
    this.#base = base;
  }

  /**
   * Absolute paths of what `text` stands for, in order. A file that is there is meant, whatever its name looks like; so is a
   * folder on the way of a pattern.
   */
  async find(text: string): Promise<FoundFiles> {
    const shown = visible(text);
    const home = expandHome(text);
    if (home.problem !== undefined) return { problem: `${shown}: ${home.problem}` };
    const absolute = path.resolve(this.#base, home.path);
    let problem = await this.problemOf(absolute);
    if (problem === undefined) return { files: [absolute] };
    if (isDynamicPattern(home.path)) {
      const files = await this.#match(home.path);
      if (files.length > 0) return { files };
      problem = 'a pattern that no file matches';
    }
    return { problem: `${shown}: expected a file, got ${problem}${this.#hint(text)}` };
  }

  /** Where a path that is no pattern leads to, and what is wrong with the file there. */
  async findOne(text: string): Promise<FoundFiles> {
    const home = expandHome(text);
    if (home.problem !== undefined) return { problem: `${visible(text)}: ${home.problem}` };
    const absolute = path.resolve(this.#base, home.path);
    const problem = await this.problemOf(absolute);
    if (problem === undefined) return { files: [absolute] };
    return { problem: `${visible(text)}: expected a file, got ${problem}${this.#hint(text)}` };
  }

  /** What is wrong with an input file. */
  problemOf(file: string): Promise<string | undefined> {
    let problem = this.#problems.get(file);
    if (problem === undefined) {
      problem = stat(file).then(
        (stats) => (stats.isFile() ? undefined : stats.isDirectory() ? 'a folder' : 'a device or a pipe'),
        describeFileProblem,
      );
      this.#problems.set(file, problem);
    }
    return problem;
  }

  #hint(text: string): string {
    const spelling = describeSpelling(text, (other) => existsSync(path.resolve(this.#base, other)));
    return spelling === undefined ? '' : `; ${spelling}`;
  }

  /** Matches of the most literal reading that has any: names with brackets or parentheses are more common than sets. */
  async #match(text: string): Promise<string[]> {
    const pattern = process.platform === 'win32' ? text.replaceAll('\\', '/') : text;
    const { folder, rest } = this.#existingFolders(pattern);
    const readings = [
      { cwd: folder, pattern: rest.replace(/[()[\]{}]|^!/g, '\\$&') },
      { cwd: folder, pattern: rest },
      { cwd: this.#base, pattern },
    ];
    for (const reading of readings) {
      const matches = await glob([reading.pattern], {
        cwd: reading.cwd,
        absolute: true,
        onlyFiles: true,
        expandDirectories: false,
        followSymbolicLinks: false,
      });
      if (matches.length > 0) return matches.map((match) => path.resolve(match)).sort();
    }
    return [];
  }

  /** The folders at a pattern's beginning that are called just so, and what is left of it. */
  #existingFolders(pattern: string): { readonly folder: string; readonly rest: string } {
    const parts = pattern.split('/');
    let folder = this.#base;
    let used = 0;
    for (; used < parts.length - 1; used++) {
      const next = path.resolve(folder, used === 0 ? `${parts[0]}/` : parts[used]!);
      if (!statSync(next, { throwIfNoEntry: false })?.isDirectory()) break;
      folder = next;
    }
    return { folder, rest: parts.slice(used).join('/') };
  }
}

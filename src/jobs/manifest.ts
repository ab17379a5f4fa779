/** From a manifest to the list of its jobs, or to the list of all that is wrong with it. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { PipelineError } from '../errors.ts';
import { expandHome } from '../files/home-path.ts';
import { frameRateLabel } from '../media/frame-rate.ts';
import { resolveOutput } from '../media/prepare-output.ts';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import {
  INPUT_KEYS,
  type InputKey,
  keysWhere,
  type OptionKey,
  specOf,
  withPaths,
} from '../pipeline/options/clip-keys.ts';
import type { OptionPath } from '../pipeline/options/option-spec.ts';
import { findInvalidOptions, resolveOptions } from '../pipeline/resolve-options.ts';
import { AppliedValues } from './applied-values.ts';
import { InputPaths } from './input-paths.ts';
import { findOutputProblems } from './manifest-outputs.ts';
import { ManifestProblems } from './manifest-problems.ts';
import { type BatchManifest, defaultOutput, JOB_CONTROLS, ManifestError } from './manifest-schema.ts';
import { isRecord, type ManifestPath, type ManifestSource, readManifest } from './manifest-source.ts';
import {
  checkValues,
  findUnknownKeys,
  kindOf,
  readWritten,
  show,
  VALUE_KEYS,
  type Values,
} from './manifest-values.ts';
import {
  describeLength,
  describePattern,
  fillPattern,
  outputLike,
  placeholdersOf,
} from './output-pattern.ts';

/** One clip to render. */
export interface BatchJob {
  /** Counts from 0, in the order of the manifest. */
  readonly index: number;
  /** How reports call it. */
  readonly name: string;
  /** Where the manifest asks for it. */
  readonly place: string;
  /** With absolute paths. */
  readonly options: Omit<AnimateOptions, 'signal' | 'onProgress'>;
  readonly priority: number;
  readonly attempts: number;
  /** Seconds. */
  readonly timeout?: number;
  /** File that gets a video which can be played while the clip is rendered. */
  readonly livePath?: string;
}

/** A manifest that was checked. */
export interface CheckedManifest {
  /** The file as the user wrote it, or `manifest`. */
  readonly name: string;
  readonly folder: string;
  readonly jobs: readonly BatchJob[];
  readonly notices: readonly string[];
}

/** Options of {@link loadManifest}. */
interface LoadManifestOptions {
  /** Where relative inputs start. @defaultValue the manifest's folder, or the working folder */
  readonly baseFolder?: string | undefined;
  /** Where relative outputs start. @defaultValue `baseFolder` */
  readonly outputFolder?: string | undefined;
  /** For all jobs: replaces outputs that exist. */
  readonly overwrite?: boolean | undefined;
}

/** More jobs than this come from a pattern that says more than was meant. */
const MAX_JOBS = 100_000;
/** Options that list files, each with more to say of it. */
const ITEM_KEYS = keysWhere(({ path: to }) => to?.to === 'items');
const ROOT_KEYS = ['version', 'defaults', 'jobs'];

/**
 * Reads and checks a manifest: syntax, keys, values, files, names of outputs. Everything that is wrong is found at once.
 *
 * @param manifest - path of a file, or the manifest itself.
 * @throws {@link ManifestError} with all problems.
 */
export async function loadManifest(
  manifest: string | BatchManifest,
  options: LoadManifestOptions = {},
): Promise<CheckedManifest> {
  const source = await readManifest(manifest);
  const problems = new ManifestProblems(source);
  const jobs = await new Expansion(source, options, problems).expand();
  await findOutputProblems(jobs, problems.found);
  if (problems.found.length > 0) throw new ManifestError(source.name, problems.found);
  return { name: source.name, folder: source.folder, jobs, notices: source.notices };
}

/** One walk over a manifest. */
class Expansion {
  readonly #source: ManifestSource;
  readonly #base: string;
  readonly #outputs: string;
  readonly #overwrite: boolean | undefined;
  readonly #problems: ManifestProblems;
  readonly #files: InputPaths;
  readonly #applied = new AppliedValues();

  constructor(source: ManifestSource, options: LoadManifestOptions, problems: ManifestProblems) {
    this.#source = source;
    this.#base = path.resolve(options.baseFolder ?? source.folder);
    this.#outputs = path.resolve(options.outputFolder ?? this.#base);
    this.#files = new InputPaths(this.#base);
    this.#overwrite = options.overwrite;
    this.#problems = problems;
  }

  async expand(): Promise<BatchJob[]> {
    const root = Array.isArray(this.#source.value) ? { jobs: this.#source.value } : this.#source.value;
    const at = (path: ManifestPath): ManifestPath =>
      Array.isArray(this.#source.value) && path[0] === 'jobs' ? path.slice(1) : path;
    if (!isRecord(root)) {
      this.#problems.add([], `expected a list of jobs, or a map with jobs and defaults, got ${kindOf(root)}`);
      return [];
    }
    findUnknownKeys(root, [], { known: ROOT_KEYS, of: 'a manifest' }, this.#problems);
    if (root.version !== undefined && root.version !== 1) {
      this.#problems.add(['version'], `expected version 1, got ${show(root.version)}`);
    }
    const defaults = root.defaults ?? {};
    if (!isRecord(defaults)) {
      this.#problems.add(['defaults'], `expected a map of options, got ${kindOf(defaults)}`);
      return [];
    }
    checkValues(defaults, ['defaults'], ['id'], this.#problems);
    if (!Array.isArray(root.jobs) || root.jobs.length === 0) {
      const got = Array.isArray(root.jobs) ? 'an empty list' : kindOf(root.jobs);
      this.#problems.add(['jobs'], `expected jobs: a list with at least one job, got ${got}`);
      return [];
    }
    const jobs: BatchJob[] = [];
    for (const [i, entry] of (root.jobs as unknown[]).entries()) {
      await this.#expandEntry(entry, at(['jobs', i]), defaults, jobs);
    }
    return jobs;
  }

  async #expandEntry(entry: unknown, at: ManifestPath, defaults: Values, jobs: BatchJob[]): Promise<void> {
    if (!isRecord(entry)) {
      this.#problems.add(at, `expected a job: a map with portrait and audio, got ${kindOf(entry)}`);
      return;
    }
    const before = this.#problems.found.length;
    checkValues(entry, at, [], this.#problems);
    const values: Values = { ...defaults, ...withoutUndefined(entry) };
    const placeOf = (key: string): ManifestPath =>
      entry[key] === undefined && defaults[key] !== undefined ? ['defaults', key] : [...at, key];
    const lists: [key: InputKey, files: readonly string[]][] = [];
    for (const key of INPUT_KEYS) {
      if (values[key] === undefined && !specOf(key).required) continue;
      const where = values[key] === undefined ? at : placeOf(key);
      lists.push([key, await this.#expandPaths(key, values[key], where)]);
    }
    const clip = readWritten(values);
    for (const key of ITEM_KEYS) {
      if (clip[key] !== undefined)
        clip[key] = await this.#findItems(key, clip[key], values[key], placeOf(key));
    }
    if (this.#problems.found.length > before) return;

    const inputNames = Object.fromEntries(lists.map(([key]) => [key, key]));
    // A job may be at odds with the defaults, or these wrong in themselves, which was reported with them.
    const wrongOptions = findInvalidOptions({ ...clip, ...inputNames, output: outputLike(values.output) });
    for (const { option, message } of wrongOptions) this.#problems.add(placeOf(option), message);
    const texts = [values.id, values.output];
    if (wrongOptions.length > 0 || texts.some((text) => text !== undefined && typeof text !== 'string'))
      return;

    const keys = lists.map(([key]) => key);
    const pattern = (values.output as string | undefined) ?? defaultOutput(keys);
    const outputPlace = entry.output !== undefined ? [...at, 'output'] : at;
    const shared = withPaths(clip, (file, to) => this.#pathOf(file, to));
    const total = lists.reduce((product, [, files]) => product * files.length, 1);
    if (jobs.length + total > MAX_JOBS) {
      this.#problems.add(at, `expected at most ${MAX_JOBS} jobs, got ${jobs.length + total}`);
      return;
    }
    const applied = await this.#appliedValues(pattern, {
      ...shared,
      ...inputNames,
      output: outputLike(pattern),
    });
    const home = expandHome(pattern);
    const problem = applied.problem ?? home.problem ?? describePattern(pattern);
    if (problem !== undefined) {
      this.#problems.add(outputPlace, `cannot use output ${show(pattern)}: ${problem}`);
      return;
    }
    for (const inputs of combinations(lists)) {
      const index = jobs.length;
      const filled = fillPattern(home.path ?? pattern, {
        ...applied.values,
        ...(typeof applied.values.fps === 'number' && { fps: frameRateLabel(applied.values.fps) }),
        ...Object.fromEntries(Object.entries(inputs).map(([key, file]) => [key, path.parse(file).name])),
        index: String(index + 1).padStart(3, '0'),
        id: values.id,
      });
      const wrongName = filled.problem ?? describeLength(filled.text);
      if (wrongName !== undefined) {
        this.#problems.add(outputPlace, `cannot use output ${show(pattern)}: ${wrongName}`);
        return;
      }
      const options = {
        ...shared,
        ...(this.#overwrite && { overwrite: true }),
        ...inputs,
        output: resolveOutput(this.#outputs, filled.text),
      } as BatchJob['options'];
      const wrong = findInvalidOptions(options).filter(({ option }) => option === 'output');
      for (const { message } of wrong) this.#problems.add(outputPlace, message);
      if (wrong.length > 0) return;
      const id = values.id as string | undefined;
      jobs.push({
        index,
        name: id === undefined ? filled.text : total === 1 ? id : `${id} (${filled.text})`,
        place: this.#source.placeOf(at),
        options,
        priority: (values.priority as number | undefined) ?? JOB_CONTROLS.priority.default!,
        attempts: (values.attempts as number | undefined) ?? JOB_CONTROLS.attempts.default!,
        ...(values.timeout !== undefined && { timeout: values.timeout as number }),
      });
    }
  }

  /** Values for placeholders; a bundle is opened only where a pattern asks for what it decides. */
  async #appliedValues(
    pattern: string,
    options: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly values: Values; readonly problem?: string }> {
    const resolved = resolveOptions(options);
    const values: Values = { ...resolved };
    const open = placeholdersOf(pattern).filter(
      (name) => values[name] === undefined && (VALUE_KEYS as readonly string[]).includes(name),
    );
    if (open.length === 0) return { values };
    try {
      return { values: { ...(await this.#applied.of(resolved)) } };
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      return { values, problem: `{${open[0]}} is the bundle's, and ${error.message}` };
    }
  }

  /** Where a path leads to from the manifest's folder; a name that is none stays as it is. */
  #pathOf(file: string, to: OptionPath): string {
    const absolute = path.resolve(this.#base, expandHome(file).path ?? file);
    if (to.to !== 'name') return absolute;
    return existsSync(to.marker === undefined ? absolute : path.join(absolute, to.marker)) ? absolute : file;
  }

  /** Items that name files, with absolute paths; `written` is what the manifest says. */
  async #findItems(
    key: OptionKey,
    items: unknown,
    written: unknown,
    at: ManifestPath,
  ): Promise<readonly unknown[]> {
    const { path: to } = specOf(key);
    const noun = to?.to === 'items' ? to.noun : key;
    const found: unknown[] = [];
    for (const [i, item] of (items as readonly unknown[]).entries()) {
      if (findInvalidOptions({ [key]: [item] }, { partial: true }).length > 0) continue; // reported with the values
      const { path: file } = item as { readonly path: string };
      const { files, problem } = await this.#files.findOne(file);
      if (problem === undefined) found.push({ ...(item as object), path: files[0] });
      else this.#problems.add(Array.isArray(written) ? [...at, i] : at, `cannot read ${noun} ${problem}`);
    }
    return found;
  }

  /** Absolute paths of the files that a path, a pattern or a list of them stands for, in order, each once. */
  async #expandPaths(key: string, value: unknown, at: ManifestPath): Promise<string[]> {
    const isList = Array.isArray(value);
    const items: unknown[] = isList ? value : [value];
    if (value === undefined || items.length === 0) {
      this.#problems.add(
        at,
        `expected ${key}: the path of a file, got ${isList ? 'an empty list' : 'nothing'}`,
      );
      return [];
    }
    const found: string[] = [];
    for (const [i, item] of items.entries()) {
      const where = isList ? [...at, i] : at;
      if (typeof item !== 'string' || item === '' || item.includes('\0')) {
        this.#problems.add(where, `cannot use ${key}: expected the path of a file, got ${show(item)}`);
        continue;
      }
      const { files, problem } = await this.#files.find(item);
      if (problem === undefined) found.push(...files);
      else this.#problems.add(where, `cannot read ${key} ${problem}`);
    }
    return [...new Set(found)];
  }
}

/** One of each list, the last changing fastest. */
function combinations(lists: readonly (readonly [key: string, files: readonly string[]])[]) {
  return lists.reduce<readonly Readonly<Record<string, string>>[]>(
    (found, [key, files]) => found.flatMap((chosen) => files.map((file) => ({ ...chosen, [key]: file }))),
    [{}],
  );
}

function withoutUndefined(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

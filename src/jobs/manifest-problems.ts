/** What is found wrong while a manifest is read, each once, with its place in the file. */
import type { ManifestProblem } from './manifest-schema.ts';
import type { ManifestPath, ManifestSource } from './manifest-source.ts';

export class ManifestProblems {
  readonly found: ManifestProblem[] = [];
  readonly #source: ManifestSource;
  /** What is wrong with a default, or the name of a column, holds for each job, and is reported once. */
  readonly #reported = new Set<string>();

  constructor(source: ManifestSource) {
    this.#source = source;
  }

  /** Notes what is wrong with the value at `at`, or with its key. */
  add(at: ManifestPath, message: string, part: 'value' | 'key' = 'value'): void {
    const place = part === 'key' ? this.#source.placeOf(at, 'key') : this.#source.placeOf(at);
    const text = `${place}: ${message}`;
    if (!this.#reported.has(text)) this.found.push({ place, message });
    this.#reported.add(text);
  }
}

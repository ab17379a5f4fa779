/** What networks make of portraits, kept for the next clip of the same portrait. */
import { createHash } from 'node:crypto';
import type { SceneReference } from '../models/frame-conditions.ts';
import type { NamedInputs } from './clip-networks.ts';
import type { NetworksChoice } from './load-options.ts';
import { choiceKey } from './networks-cache.ts';

/** Those used least recently go when all together are larger. */
const MAX_BYTES = 256e6;

interface Entry {
  readonly features: Promise<NamedInputs>;
  /** Unknown until they are made. */
  bytes: number;
}

/** Knows portraits by their pixels. */
export class ReferenceCache {
  /** Those used last come last. */
  readonly #entries = new Map<string, Entry>();

  /**
   * The features of a portrait; stay the cache's, which copies are made of.
   *
   * @param make - called when they are not known.
   */
  async get(
    choice: NetworksChoice,
    reference: SceneReference,
    make: () => Promise<NamedInputs>,
  ): Promise<NamedInputs> {
    const hash = createHash('sha256').update(choiceKey(choice));
    for (const value of Object.values(reference)) {
      hash.update(value instanceof Float32Array ? bytesOf(value) : (JSON.stringify(value) ?? ''));
    }
    const key = hash.digest('hex');
    const known = this.#entries.get(key);
    this.#entries.delete(key);
    const entry = known ?? { features: make(), bytes: 0 };
    this.#entries.set(key, entry);
    try {
      const features = await entry.features;
      entry.bytes = Object.values(features).reduce((sum, { data }) => sum + data.byteLength, 0);
      this.#trim();
      return features;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }

  #trim(): void {
    let total = 0;
    for (const { bytes } of this.#entries.values()) total += bytes;
    for (const [key, { bytes }] of this.#entries) {
      if (total <= MAX_BYTES || this.#entries.size === 1) return;
      this.#entries.delete(key);
      total -= bytes;
    }
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Weights that are spread over several files, with an index of which file has which weight. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ModelError } from '../errors.ts';
import type { WeightFile } from './weight-source.ts';

/**
 * Opens the files that an index (`*.index.json`) names; they are read when a weight of theirs is.
 *
 * Source: `weight_map` of the Hugging Face hub's sharded checkpoints.
 *
 * @param open - opens one of them.
 * @throws {@link ModelError} if the index is damaged, a file is missing, or a weight is not where the index says.
 */
export function openShardedWeights(indexPath: string, open: (path: string) => WeightFile): WeightFile {
  const places = readIndex(indexPath);
  const shards = new Map<string, WeightFile>();
  const dispose = (): void => {
    for (const shard of shards.values()) shard.dispose();
  };
  try {
    for (const [key, name] of places) {
      let shard = shards.get(name);
      if (shard === undefined) {
        shard = open(path.join(path.dirname(indexPath), name));
        shards.set(name, shard);
      }
      if (!shard.has(key)) throw unusable(indexPath, `${key} in ${name}`, 'none there');
    }
  } catch (error) {
    dispose();
    throw error;
  }
  const shardOf = (key: string): WeightFile => {
    const shard = shards.get(places.get(key) ?? '');
    if (shard === undefined) throw unusable(indexPath, key, 'none');
    return shard;
  };
  return {
    path: indexPath,
    metadata: {},
    keys: () => places.keys(),
    has: (key) => places.has(key),
    info: (key) => shardOf(key).info(key),
    read: (key) => shardOf(key).read(key),
    dispose,
  };
}

function readIndex(indexPath: string): Map<string, string> {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(indexPath, 'utf8'));
  } catch (cause) {
    throw unusable(indexPath, 'JSON', 'something else', cause);
  }
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Object.keys(map).length === 0) {
    throw unusable(indexPath, 'a weight_map', 'none');
  }
  const places = new Map<string, string>();
  for (const [key, name] of Object.entries(map)) {
    // Shards lie next to the index: a name that leads elsewhere is none.
    if (typeof name !== 'string' || name === '' || /[/\\]/.test(name) || name === '..') {
      throw unusable(indexPath, `the name of a file next to it for ${key}`, JSON.stringify(name));
    }
    places.set(key, name);
  }
  return places;
}

function unusable(indexPath: string, expected: string, got: string, cause?: unknown): ModelError {
  return new ModelError(`Cannot use the index ${indexPath}: expected ${expected}, got ${got}`, indexPath, {
    cause,
  });
}

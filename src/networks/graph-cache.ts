/**
 * Graphs of small networks as files that the engine opens: reading weights, merging adapters and adding nodes takes longer
 * than all else that happens before the first frame. An entry belongs to one state of everything that a graph depends on, the
 * program's own modules included. Nothing fails for want of it: what cannot be kept, or is damaged, is made again.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Bundle, filesOf } from '../models/bundle.ts';
import { engineState } from '../runtime/engine-state.ts';
import { type CheckedFile, checksOf, readsWhole } from '../weights/checked-file.ts';
import type { GraphOptions } from './bundle-graphs.ts';
import type { Optimising, ReadyGraph } from './write-graph.ts';

/** Entries that were not used for longest are removed beyond this. */
const MAX_BYTES = 512e6;
/** Ending of files that are being written; who is not done after so long was killed. */
const PART = '.part';
const ABANDONED_MS = 3600_000;
/** Folders of the modules that make graphs. */
const MAKERS = ['models', 'networks', 'onnx', 'tensor', 'weights'];

/** What is kept next to a graph. */
type Entry = Omit<ReadyGraph, 'model' | 'optimising'> & CheckedFile;

/** A folder of graphs; any number of processes may use it at the same time. */
export class GraphCache {
  readonly #folder: string;
  readonly #maxBytes: number;

  /** @param maxBytes - @defaultValue 512 MB */
  constructor(folder: string, maxBytes = MAX_BYTES) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** The graph that was kept under this key, as a file, if it is there and whole. */
  async find(key: string): Promise<ReadyGraph | undefined> {
    const { model, index } = this.#filesOf(key);
    try {
      const { bytes, checks, ...form } = JSON.parse(await readFile(index, 'utf8')) as Entry;
      if (!(await readsWhole(model, { bytes, checks }))) return undefined;
      const now = new Date();
      await utimes(index, now, now).catch(() => {}); // somebody else's, perhaps
      return { ...form, model };
    } catch {
      return undefined;
    }
  }

  /** Keeps a graph, and gives it as a file; where that cannot be, as it is. */
  keep(key: string, graph: ReadyGraph): ReadyGraph {
    const { model, ...form } = graph;
    if (typeof model === 'string' || model.length > this.#maxBytes) return graph;
    const part = this.#newPart();
    try {
      mkdirSync(this.#folder, { recursive: true });
      this.#makeRoom(model.length);
      writeFileSync(part, model);
      return this.#take(key, part, { ...form, ...checksOf(model) });
    } catch {
      removeIfThere(part);
      return graph;
    }
  }

  /** Gives a file of the cache its name. */
  #take(key: string, part: string, entry: Entry): ReadyGraph {
    const { model, index } = this.#filesOf(key);
    const indexPart = this.#newPart();
    try {
      writeFileSync(indexPart, JSON.stringify(entry));
      renameSync(part, model);
      renameSync(indexPart, index);
    } finally {
      removeIfThere(indexPart);
    }
    const { bytes: _, checks: __, ...form } = entry;
    return { ...form, model };
  }

  /**
   * A graph as the engine has optimised it for this processor, which takes longer than opening it then; as it is, and to be kept as
   * soon as the engine has opened it, where that has not been done.
   *
   * @param make - gives the graph as it is.
   * @param how - `rebuild` discards what is kept, and keeps nothing.
   */
  async optimised(
    key: string,
    make: () => Promise<ReadyGraph>,
    { rebuild = false }: { readonly rebuild?: boolean } = {},
  ): Promise<ReadyGraph> {
    const ofEngine = JSON.stringify([await engineState(), key]);
    const kept = rebuild ? await this.discard(ofEngine) : await this.find(ofEngine);
    if (kept !== undefined) return kept;
    const graph = await make();
    // Weights in other files are read from there.
    if (rebuild || graph.dataFolder !== undefined) return graph;
    const { precision } = graph;
    const saveTo = this.#newPart();
    const keep = async (): Promise<void> => {
      try {
        const model = await readFile(saveTo);
        this.#makeRoom(model.length);
        this.#take(ofEngine, saveTo, { precision, isOptimised: true, ...checksOf(model) });
      } catch {
        removeIfThere(saveTo);
      }
    };
    return { ...graph, ...(this.#hasFolder() && { optimising: { saveTo, keep } satisfies Optimising }) };
  }

  #newPart(): string {
    return path.join(this.#folder, `${randomUUID()}${PART}`);
  }

  #hasFolder(): boolean {
    try {
      mkdirSync(this.#folder, { recursive: true });
      accessSync(this.#folder, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  }

  /** Removes what is kept under a key, e.g. because the engine refuses it. */
  async discard(key: string): Promise<void> {
    const { model, index } = this.#filesOf(key);
    await rm(index, { force: true }).catch(() => {});
    await rm(model, { force: true }).catch(() => {});
  }

  #filesOf(key: string): { readonly model: string; readonly index: string } {
    const name = createHash('sha256').update(key).digest('hex').slice(0, 32);
    return {
      model: path.join(this.#folder, `${name}.onnx`),
      index: path.join(this.#folder, `${name}.json`),
    };
  }

  /** Removes entries, and what killed processes have left, until `bytes` more fit. */
  #makeRoom(bytes: number): void {
    const files = readdirSync(this.#folder).flatMap((name) => {
      const stats = statSync(path.join(this.#folder, name), { throwIfNoEntry: false });
      return stats === undefined ? [] : [{ name, bytes: stats.size, used: stats.mtimeMs }];
    });
    // An entry is as old as its last use, which its index says; a graph is told from its index by the ending alone.
    const usedOf = new Map(files.map(({ name, used }) => [name, used]));
    const entries = files
      .filter(({ name }) => !name.endsWith('.json'))
      .map((file) => ({ ...file, used: usedOf.get(`${path.parse(file.name).name}.json`) ?? file.used }))
      .sort((a, b) => a.used - b.used);
    let total = bytes + entries.reduce((sum, entry) => sum + entry.bytes, 0);
    for (const { name, bytes: size, used } of entries) {
      const wasLeft = name.endsWith(PART) && Date.now() - used > ABANDONED_MS;
      if (total <= this.#maxBytes && !wasLeft) continue;
      rmSync(path.join(this.#folder, `${path.parse(name).name}.json`), { force: true });
      rmSync(path.join(this.#folder, name), { force: true });
      total -= size;
    }
  }
}

function removeIfThere(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Its folder is none, perhaps.
  }
}

/** Names everything that a graph is made of. */
export async function graphKey(bundle: Bundle, network: string, options: GraphOptions): Promise<string> {
  const { folder, fingerprint } = bundle;
  const files = filesOf(bundle).map(([, file]) => path.join(folder, file.path));
  // The settings of an adapter lie next to it.
  const adapters = options.loras.flatMap(({ path: file }) => [
    file,
    path.join(path.dirname(file), 'adapter_config.json'),
  ]);
  const states = await Promise.all([...files, ...adapters].map(stateOf));
  return JSON.stringify([await makersState(), fingerprint, network, options, states]);
}

/** Another one when a file is replaced or written to, whatever its time is set to. */
async function stateOf(file: string): Promise<unknown> {
  const { size, mtimeMs, ctimeMs, ino } = (await stat(file).catch(() => undefined)) ?? {};
  return [size, mtimeMs, ctimeMs, ino];
}

let makers: Promise<string> | undefined;

/** A hash of the modules that make graphs. */
function makersState(): Promise<string> {
  makers ??= hashMakers();
  return makers;
}

async function hashMakers(): Promise<string> {
  const source = fileURLToPath(new URL('..', import.meta.url));
  const ending = path.extname(import.meta.url);
  const hash = createHash('sha256');
  for (const folder of MAKERS) {
    const names = (await readdir(path.join(source, folder))).filter(
      (name) => name.endsWith(ending) && !name.endsWith(`.d${ending}`),
    );
    const texts = await Promise.all(names.sort().map((name) => readFile(path.join(source, folder, name))));
    for (const [i, text] of texts.entries())
      hash.update(`${folder}/${names[i]}:${text.length}\n`).update(text);
  }
  return hash.digest('hex');
}

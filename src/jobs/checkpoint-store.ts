/**
 * Checkpoints of one clip in a folder: the latents of finished frames, and the state that denoising resumes from.
 * A file that was cut or altered is left out with a warning, and its frames rendered again.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type {
  DenoisedFrame,
  DenoiseState,
  FrameState,
  ResumePoint,
  SavePoint,
} from '../denoising/denoise-clip.ts';
import { MediaError } from '../errors.ts';
import { isPartialName, removeAllPartials } from '../files/partial-name.ts';
import type { ClipCheckpoints, ClipShape } from '../pipeline/clip-checkpoints.ts';
import { readCheckpointFile, writeCheckpointFile } from './checkpoint-file.ts';
import { isDiskFull } from './job-failure.ts';

/** Of what files hold; a file of another version is of no use. */
const FORMAT = 2;
/**
 * States grow with the number of steps, not with the clip, and only the last is needed: the one before is kept in case
 * that the last is damaged, and every 16th in case that earlier frames are.
 */
const KEPT_STATE_EVERY = 16;

type FileKind = 'frames' | 'state';

interface FileDescription {
  readonly format: number;
  /** Content key of the clip, and its shape. */
  readonly identity: string;
  readonly kind: FileKind;
  readonly index: number;
  readonly layout: unknown;
}

interface StateLayout {
  readonly taken: readonly number[];
  readonly finalBefore: readonly number[];
  /** By step: frames, with the number of their history tensors. */
  readonly states: readonly (readonly (readonly [frame: number, history: number])[])[];
  /** By step: frames. */
  readonly sums: readonly (readonly number[])[];
}

/** Options of {@link CheckpointStore}. */
interface CheckpointStoreOptions {
  /** Made when there is something to keep. */
  readonly folder: string;
  /** Names what is rendered, see content-key.ts; checkpoints of another key are removed. */
  readonly key: string;
  readonly onWarning: (message: string) => void;
}

/** Keeps checkpoints in a folder of its own. */
export class CheckpointStore implements ClipCheckpoints {
  readonly #folder: string;
  readonly #key: string;
  readonly #onWarning: (message: string) => void;
  #identity = '';
  #dims: readonly number[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor({ folder, key, onWarning }: CheckpointStoreOptions) {
    this.#folder = folder;
    this.#key = key;
    this.#onWarning = onWarning;
  }

  async load(shape: ClipShape): Promise<ResumePoint | undefined> {
    this.#identity = JSON.stringify([this.#key, shape]);
    const [channels, height, width] = shape.frameShape;
    this.#dims = [1, channels, 1, height, width];
    const names = new Set(await this.#list());

    // Frames up to the first file that is missing or damaged …
    let usable = 0;
    while (names.has(fileName('frames', usable))) {
      if ((await this.#read('frames', usable)) === undefined) break;
      usable++;
    }
    // … and the last state within them.
    let resume: { index: number; state: DenoiseState } | undefined;
    for (let index = usable - 1; index >= 0 && resume === undefined; index--) {
      if (!names.has(fileName('state', index))) continue;
      const contents = await this.#read('state', index);
      if (contents !== undefined) {
        resume = { index, state: this.#unpackState(contents.layout as StateLayout, contents.arrays) };
      }
    }
    const keep = resume?.index ?? -1;
    await removeAllPartials(this.#folder);
    for (const name of names) {
      if (isPartialName(name)) continue; // of a program that writes it now
      const index = indexOf(name);
      if (index === undefined || index > keep) await rm(path.join(this.#folder, name), { force: true });
    }
    if (resume === undefined) return undefined;
    return { ...resume, frames: this.#frames(resume.index) };
  }

  async save(point: SavePoint): Promise<void> {
    await this.#writing;
    this.#writing = this.#write(point);
    this.#writing.catch(() => {}); // thrown by the next call
  }

  flush(): Promise<void> {
    return this.#writing;
  }

  /** Removes all checkpoints, once they are not needed any more. */
  async remove(): Promise<void> {
    await this.#writing.catch(() => {});
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #write({ index, frames, state }: SavePoint): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      const latents = frames.map((frame) => frame.latents.data);
      await this.#writeFile('frames', index, frames[0]?.frame ?? 0, latents);
      // The state comes second: one that is there has all of its frames.
      const { layout, arrays } = packState(state);
      await this.#writeFile('state', index, layout, arrays);
    } catch (error) {
      const why = isDiskFull(error)
        ? 'a full disk; free space and start again: what is finished is kept'
        : `an error (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
      throw new MediaError(
        `Cannot write checkpoint in ${this.#folder}: expected space for it, got ${why}`,
        this.#folder,
        { cause: error },
      );
    }
    const old = index - 2;
    if (old >= 0 && old % KEPT_STATE_EVERY !== 0) {
      await rm(path.join(this.#folder, fileName('state', old)), { force: true }).catch(() => {});
    }
  }

  #writeFile(kind: FileKind, index: number, layout: unknown, arrays: readonly Float32Array[]): Promise<void> {
    const description: FileDescription = { format: FORMAT, identity: this.#identity, kind, index, layout };
    return writeCheckpointFile(path.join(this.#folder, fileName(kind, index)), { description, arrays });
  }

  /** The contents of a file that belongs here and is whole, else undefined. */
  async #read(
    kind: FileKind,
    index: number,
  ): Promise<{ layout: unknown; arrays: readonly Float32Array[] } | undefined> {
    const file = path.join(this.#folder, fileName(kind, index));
    try {
      const { description, arrays } = await readCheckpointFile(file);
      const found = description as FileDescription;
      // Of an earlier version, other inputs or other options: nothing is wrong, it is only of no use.
      if (found.format !== FORMAT || found.identity !== this.#identity) return undefined;
      if (found.kind !== kind || found.index !== index) throw new Error('under the name of another');
      return { layout: found.layout, arrays };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#onWarning(`checkpoint ${file} is ignored (${why}): its frames are rendered again`);
      return undefined;
    }
  }

  async *#frames(last: number): AsyncGenerator<DenoisedFrame> {
    for (let index = 0; index <= last; index++) {
      const contents = await this.#read('frames', index);
      if (contents === undefined) {
        throw new MediaError(
          `Cannot go on from checkpoints in ${this.#folder}: expected them to stay, got a change while they are used`,
          this.#folder,
        );
      }
      const first = contents.layout as number;
      for (const [i, data] of contents.arrays.entries()) {
        yield { frame: first + i, latents: { data, dims: this.#dims } };
      }
    }
  }

  #unpackState(
    { taken, finalBefore, states, sums }: StateLayout,
    arrays: readonly Float32Array[],
  ): DenoiseState {
    const rest = arrays.values();
    const next = (): Float32Array => rest.next().value!;
    const tensor = () => ({ data: next(), dims: this.#dims });
    const frameState = (history: number): FrameState => ({
      latents: tensor(),
      history: Array.from({ length: history }, tensor),
    });
    return {
      taken: [...taken],
      finalBefore: [...finalBefore],
      states: states.map((ready) => new Map(ready.map(([frame, history]) => [frame, frameState(history)]))),
      sums: sums.map((begun) => new Map(begun.map((frame) => [frame, next()]))),
    };
  }

  async #list(): Promise<string[]> {
    try {
      return await readdir(this.#folder);
    } catch {
      return [];
    }
  }
}

/** Bytes that the checkpoints of a clip take at most, while it is rendered. */
export function checkpointBytes(clip: {
  readonly frames: number;
  readonly windows: number;
  readonly windowFrames: number;
  readonly steps: number;
  /** Values in one frame's latents. */
  readonly frameValues: number;
}): number {
  const { frames, windows, windowFrames, steps, frameValues } = clip;
  // A save point after each window, and some between windows that are long in coming.
  const savePoints = windows + Math.ceil(windows / 2);
  const states = Math.min(savePoints, 2) + Math.ceil(savePoints / KEPT_STATE_EVERY);
  // A step holds about a window of frames that are ready or partly summed, most of them once.
  return 4 * frameValues * (frames + states * Math.min(steps * windowFrames, 2 * frames));
}

function packState({ taken, finalBefore, states, sums }: DenoiseState): {
  layout: StateLayout;
  arrays: Float32Array[];
} {
  const arrays: Float32Array[] = [];
  for (const ready of states) {
    for (const { latents, history } of ready.values()) {
      arrays.push(latents.data, ...history.map(({ data }) => data));
    }
  }
  for (const begun of sums) arrays.push(...begun.values());
  const layout = {
    taken,
    finalBefore,
    states: states.map((ready) =>
      Array.from(ready, ([frame, { history }]) => [frame, history.length] as const),
    ),
    sums: sums.map((begun) => [...begun.keys()]),
  };
  return { layout, arrays };
}

function fileName(kind: FileKind, index: number): string {
  return `${kind}-${String(index).padStart(6, '0')}.ckpt`;
}

function indexOf(name: string): number | undefined {
  const match = /^(?:frames|state)-(\d{6,})\.ckpt$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** Bytes of the files in a folder of checkpoints. */
export async function folderBytes(folder: string): Promise<number> {
  let sum = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    sum += (await stat(path.join(folder, name)).catch(() => undefined))?.size ?? 0;
  }
  return sum;
}

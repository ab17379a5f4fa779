/** What the networks get for each frame, made when a window first needs it. */
import type { ContextWindow, WindowPlan, WindowStep } from '../denoising/context-windows.ts';
import type { FrameBase, FrameConditions, PixelBox } from '../models/frame-conditions.ts';
import {
  type ClipNetworks,
  GatheredPose,
  type NamedInputs,
  type PoseFeatures,
  poseBytes,
  releasePose,
} from '../networks/clip-networks.ts';
import { gatherPose } from '../networks/gather-pose.ts';
import type { Scene } from '../scene/scene.ts';
import type { Stopwatch } from './stopwatch.ts';

/** Pose features that are kept at once; a window of AniPortrait's has 63 MB. */
const MAX_KEPT_BYTES = 1e9;

/** What {@link WindowConditions} works on. */
interface WindowConditionsOptions {
  readonly scene: Scene;
  readonly networks: ClipNetworks;
  /** Numbers of the frames that the windows count. */
  readonly denoisedFrames: readonly number[];
  readonly windows: WindowPlan;
  readonly watch: Stopwatch;
  /** No new work begins after it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** Frames whose features are made by one run of the pose guider. */
interface Group {
  /** The window where its frames belong together, else the group's number. */
  readonly key: ContextWindow | number;
  /** Counted as the windows count them. */
  readonly frames: readonly number[];
}

/**
 * Renders the conditions of each window when it is first needed, and forgets them when they are not needed any more.
 *
 * Where a frame's pose features depend on that frame alone, each is made once, as many as the network takes at a time, and
 * windows gather theirs; else every window has features of its own.
 */
export class WindowConditions {
  readonly #options: WindowConditionsOptions;
  readonly #frames = new Map<number, Promise<FrameConditions>>();
  /** What is left of the conditions of frames whose pose features are made. */
  readonly #bases = new Map<number, FrameBase>();
  /** Of frames that are blended between others. */
  readonly #shown = new Map<number, Promise<PixelBox | undefined>>();
  readonly #features = new Map<Group['key'], Promise<PoseFeatures>>();
  /** Features beyond what is kept, which the window's next step makes again. */
  readonly #passing = new Map<ContextWindow, Promise<PoseFeatures>[]>();
  readonly #bytes = new Map<Group['key'], number>();
  #keptBytes = 0;
  /** Nothing asks for the frames below this one any more. */
  #complete = 0;

  constructor(options: WindowConditionsOptions) {
    this.#options = options;
  }

  #frame(frame: number): Promise<FrameConditions> {
    let conditions = this.#frames.get(frame);
    if (conditions === undefined) {
      conditions = this.#options.scene.conditions(frame);
      this.#frames.set(frame, conditions);
      // The decoder asks for it soon.
      if (this.#options.networks.decodesOverBase) void this.#shownAround(frame);
    }
    return conditions;
  }

  /** @param once - whether nothing asks for the pose features of these frames again. */
  async #make(indices: readonly number[], once: boolean): Promise<PoseFeatures> {
    const { denoisedFrames, networks, watch, signal } = this.#options;
    const frames = indices.map((index) => denoisedFrames[index]!);
    return watch.time('pose', async () => {
      const conditions = await Promise.all(frames.map((frame) => this.#frame(frame)));
      signal?.throwIfAborted();
      // Nobody asks for them again but the decoder, for a part; a neighbouring window draws a few again.
      for (const [i, frame] of frames.entries()) {
        if (networks.decodesOverBase && !once) continue;
        this.#frames.delete(frame);
        if (!networks.decodesOverBase) continue;
        const { conditions: _, ...base } = conditions[i]!;
        this.#bases.set(frame, base);
      }
      return networks.poseFeatures(conditions);
    });
  }

  /** The groups that a window's frames are in, in order. */
  #groupsOf(window: ContextWindow): Group[] {
    const { posesByFrame, poseFrames: size } = this.#options.networks;
    if (!posesByFrame) return [{ key: window, frames: window.frames }];
    const last = this.#options.denoisedFrames.length - 1;
    const numbers = new Set(window.frames.map((frame) => Math.floor(frame / size)));
    return Array.from(numbers, (key) => ({
      key,
      // The network takes a whole group: the clip's last frame fills what is missing.
      frames: Array.from({ length: size }, (_, i) => Math.min(key * size + i, last)),
    }));
  }

  /** Pose features of a window. */
  async pose(window: ContextWindow): Promise<PoseFeatures> {
    const groups = this.#groupsOf(window);
    for (const group of groups) this.#begin(group);
    const features = groups.map(({ key }) => this.#features.get(key));
    // Beyond what is kept, a window's own frames are less work than all groups that they are in.
    const pose = await (features.includes(undefined)
      ? this.#makePassing(window)
      : this.#gather(window, groups, await Promise.all(features as Promise<PoseFeatures>[])));
    this.#options.signal?.throwIfAborted();
    return pose;
  }

  #makePassing(window: ContextWindow): Promise<PoseFeatures> {
    const made = this.#make(window.frames, false);
    this.#passing.set(window, [...(this.#passing.get(window) ?? []), made]);
    return made;
  }

  async #gather(
    { frames }: ContextWindow,
    groups: readonly Group[],
    features: readonly PoseFeatures[],
  ): Promise<PoseFeatures> {
    if (!this.#options.networks.posesByFrame) return features[0]!;
    const places = frames.map((frame) => {
      const group = groups.findIndex((candidate) => candidate.frames.includes(frame));
      return { group, index: groups[group]!.frames.indexOf(frame) };
    });
    // Features that windows share are in ordinary memory.
    return new GatheredPose(await gatherPose(features as readonly NamedInputs[], places));
  }

  /**
   * Begins to make a group's features unless there are some, and keeps them for later windows and steps. Windows that go
   * round the clip all wait for each other: of a long clip, those beyond the limit are made again at every step.
   */
  #begin({ key, frames }: Group): void {
    if (this.#features.has(key) || this.#keptBytes >= MAX_KEPT_BYTES) return;
    const made = this.#make(frames, typeof key === 'number');
    this.#features.set(key, made);
    const count = (features: PoseFeatures): void => {
      const bytes = poseBytes(features);
      if (this.#features.get(key) !== made) return;
      this.#bytes.set(key, bytes);
      this.#keptBytes += bytes;
    };
    // The failure surfaces where the features are awaited.
    made.then(count, () => {});
  }

  /** Begins to make the pose features of windows that will be wanted soon. */
  prefetch(windows: readonly ContextWindow[]): void {
    if (this.#options.signal?.aborted) return;
    for (const group of windows.flatMap((window) => this.#groupsOf(window))) {
      if (!this.#isComplete(group.key)) this.#begin(group);
    }
  }

  /** Waits until nothing is being made. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#features.values(), ...[...this.#passing.values()].flat()]);
  }

  /** The same, and frees what is left: nothing is asked for any more. */
  async dispose(): Promise<void> {
    await this.settle();
    for (const key of this.#features.keys()) this.#forget(key);
    for (const window of this.#passing.keys()) this.#release(window);
  }

  #isComplete(key: Group['key']): boolean {
    const { networks, denoisedFrames } = this.#options;
    const end = (group: number): number => Math.min((group + 1) * networks.poseFrames, denoisedFrames.length);
    return typeof key === 'number' && end(key) <= this.#complete;
  }

  /** Of a step of the window that has been taken. */
  #release(window: ContextWindow): void {
    for (const features of this.#passing.get(window) ?? []) features.then(releasePose, () => {});
    this.#passing.delete(window);
  }

  #forget(key: Group['key']): void {
    this.#features.get(key)?.then(releasePose, () => {});
    this.#features.delete(key);
    this.#keptBytes -= this.#bytes.get(key) ?? 0;
    this.#bytes.delete(key);
  }

  /** To be called when a window has taken a step: forgets the features that no later step asks for. */
  stepDone({ stepIndex, window }: WindowStep): void {
    const { windows } = this.#options;
    this.#release(window);
    if (windows[stepIndex] !== windows[stepIndex + 1]) this.#forget(window);
    if (stepIndex < windows.length - 1) return;
    this.#complete = Math.max(this.#complete, window.finalUntil);
    for (const key of this.#features.keys()) {
      if (this.#isComplete(key)) this.#forget(key);
    }
  }

  /** What a finished frame is decoded over, and where it or a frame that is blended with it is looked at; the frame is forgotten. */
  async takeBase(frame: number): Promise<FrameBase> {
    const around = this.#shownAround(frame);
    const { scene } = this.#options;
    const { base, shown } =
      this.#bases.get(frame) ?? (await this.#frames.get(frame)) ?? (await scene.base(frame));
    this.#bases.delete(frame);
    this.#frames.delete(frame);
    const boxes = [shown, ...(await around)];
    for (const between of this.#between(frame)) if (between < frame) this.#shown.delete(between);
    const whole = boxes.includes(undefined) ? undefined : unionOf(boxes as PixelBox[]);
    return { ...(base && { base }), ...(whole && { shown: whole }) };
  }

  /** Where the frames between this one and its denoised neighbours are looked at. */
  #shownAround(frame: number): Promise<(PixelBox | undefined)[]> {
    const made = this.#between(frame).map((between) => {
      const shown = this.#shown.get(between) ?? this.#options.scene.shown(between);
      this.#shown.set(between, shown);
      return shown;
    });
    const all = Promise.all(made);
    all.catch(() => {}); // thrown where it is waited for
    return all;
  }

  #between(frame: number): number[] {
    const { denoisedFrames } = this.#options;
    const index = denoisedFrames.indexOf(frame);
    const first = denoisedFrames[index - 1] ?? frame;
    const last = denoisedFrames[index + 1] ?? frame;
    return Array.from({ length: last - first + 1 }, (_, i) => first + i).filter(
      (number) => number > first && number < last && number !== frame,
    );
  }
}

function unionOf(boxes: readonly PixelBox[]): PixelBox {
  return {
    left: Math.min(...boxes.map(({ left }) => left)),
    top: Math.min(...boxes.map(({ top }) => top)),
    right: Math.max(...boxes.map(({ right }) => right)),
    bottom: Math.max(...boxes.map(({ bottom }) => bottom)),
  };
}

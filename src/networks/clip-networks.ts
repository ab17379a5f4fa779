/**
 * What rendering needs of a bundle's networks. A kind of bundle has one implementation of this and one of {@link Scene};
 * they fit each other.
 */

import type { FrameBase, FrameConditions, SceneReference } from '../models/frame-conditions.ts';
import type { KeptTensors } from '../runtime/engine.ts';
import { freeMemory } from '../runtime/free-memory.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Networks' inputs by name. */
export type NamedInputs = Readonly<Record<string, Tensor>>;

/** Features that were put together for one run of the denoiser, which takes their memory. */
export class GatheredPose {
  readonly features: NamedInputs;

  constructor(features: NamedInputs) {
    this.features = features;
  }
}

/** Pose features of a window: tensors, or outputs that stayed in the engine that made them, for its denoiser. */
export type PoseFeatures = NamedInputs | KeptTensors | GatheredPose;

/** What pose features take of the memory that they are in. */
export function poseBytes(features: PoseFeatures): number {
  if (isKept(features)) return features.bytes;
  return tensorsOf(features).reduce((sum, { data }) => sum + data.byteLength, 0);
}

/** Frees pose features; tensors are empty afterwards. */
export function releasePose(features: PoseFeatures): void {
  if (isKept(features)) features.release();
  else freeMemory(tensorsOf(features).map(({ data }) => data));
}

function tensorsOf(features: NamedInputs | GatheredPose): Tensor[] {
  return Object.values(features instanceof GatheredPose ? features.features : features);
}

/** Whether they are in an engine. */
export function isKept(features: PoseFeatures): features is KeptTensors {
  return 'release' in features && typeof features.release === 'function';
}

/** A frame on its way from latents to pixels. */
export interface FrameToDecode {
  /** Clean latents, [1, C, 1, h, w]. */
  readonly latents: Tensor;
  /** For networks that decode over one. */
  readonly base: FrameBase | undefined;
}

/** Loaded networks. They render one clip at a time: the one whose reference is bound. */
export interface ClipNetworks {
  /** `[channels, height, width]` of one frame's latents. */
  readonly frameShape: readonly [channels: number, height: number, width: number];
  /** Frames that one call of {@link ClipNetworks.decode} takes at most. */
  readonly decodeFrames: number;
  /** Whether a frame's pose features depend on that frame alone, not on those that share a run with it. */
  readonly posesByFrame: boolean;
  /** Frames that one call of {@link ClipNetworks.poseFeatures} had best get, where it need not be a window. */
  readonly poseFrames: number;
  /** Windows that are best denoised at the same time: each then has some of the cores for itself. */
  readonly windowsAtOnce: number;
  /**
   * Whether networks are too large to be in memory together and are opened when they are needed: the clip has to have them for
   * itself, and its frames are decoded when all of them are denoised.
   */
  readonly inTurn: boolean;
  /** Whether decoding needs what a frame is decoded over. */
  readonly decodesOverBase: boolean;
  /** What the reference UNet takes of a portrait: its `latents`, and `image_embeds` where the bundle has an image encoder. */
  encodePortrait(reference: SceneReference): Promise<NamedInputs>;
  /**
   * What the denoiser needs to know of a portrait: the same for all clips of the portrait on these networks, or on
   * networks of the same bundle, LoRAs and guidance. May run while another clip renders.
   */
  makeReference(reference: SceneReference): Promise<NamedInputs>;
  /**
   * Binds a portrait to the denoiser, in place of the one before.
   *
   * @param options - `transfer` moves the arrays instead of copying them; they are empty afterwards.
   */
  bindReference(reference: NamedInputs, options?: { readonly transfer?: boolean }): Promise<void>;
  /** Pose features of some frames, or of one window, from their conditions; to be released with {@link releasePose}. */
  poseFeatures(frames: readonly FrameConditions[]): Promise<PoseFeatures>;
  /** One evaluation of the denoiser on a window's latents [1, C, frames, h, w]. */
  denoise(
    branch: 'conditional' | 'unconditional',
    latents: Tensor,
    timestep: number,
    pose: PoseFeatures,
  ): Promise<Tensor>;
  /**
   * Decodes up to {@link ClipNetworks.decodeFrames} frames.
   *
   * @returns for each frame what {@link Scene.compose} takes, in a buffer of its own.
   */
  decode(frames: readonly FrameToDecode[]): Promise<Float32Array[]>;
  /** Frees the networks' memory; may be called twice. */
  dispose(): Promise<void>;
}

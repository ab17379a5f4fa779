/** One picture of a video in memory; pictures of `image/` have the same form. */

/** Interleaved rows of R, G, B bytes, or of R, G, B and how opaque, top left first; `data.length` is `width · height · 3`, or 4. */
export interface VideoFrame {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** The pixels that may differ from those of a clip's other frames that name such a part, too. @defaultValue all */
  readonly changed?: FrameRegion | undefined;
}

/** A rectangle of a frame, in pixels; it may reach over the frame's edges. */
export interface FrameRegion {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

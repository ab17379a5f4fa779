/** One picture of a video in memory; pictures of `image/` have the same form. */

/** Interleaved rows of R, G, B bytes, or of R, G, B and how opaque, top left first; `data.length` is `width · height · 3`, or 4. */
export interface VideoFrame {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

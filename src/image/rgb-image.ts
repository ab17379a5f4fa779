/** 8-bit RGB pictures in memory. */

/** Interleaved rows of R, G, B bytes, top left first; `data.length` is `width · height · 3`. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A rectangle of a picture in pixels; it may reach over the picture's edges. */
export interface ImageRegion {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

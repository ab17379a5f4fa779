/** How many pieces a window is computed in by networks that take turns in memory. */

/** Frames of a window that are computed at once, and the fewest pieces of a short one: where there is room, and where there is little. */
const AT_ONCE = { usual: { frames: 2, minPieces: 4 }, few: { frames: 1, minPieces: 8 } } as const;

/**
 * See {@link DenoisingUnetOptions.pieces}.
 *
 * @param few - takes less memory, and a little more time.
 */
export function piecesOf(windowFrames: number, few: boolean): number {
  const { frames, minPieces } = few ? AT_ONCE.few : AT_ONCE.usual;
  return Math.max(minPieces, Math.ceil(windowFrames / frames));
}

/** What does not go with the pieces: the skips of a window, its inputs and its result. */
const WHOLE_SHARE = 0.215;

/**
 * Share of a window's activations in one piece that are alive in so many: counted on the graph, where 20.9 tensors of the first
 * width become 13.0 in two pieces, 8.3 in four and 6.4 in eight.
 */
export function piecesShare(pieces: number): number {
  return WHOLE_SHARE + (1 - WHOLE_SHARE) / pieces;
}

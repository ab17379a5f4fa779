/** How many pieces a window is computed in by networks that take turns in memory. */

/** Pieces where there is room for them, and where memory is short. */
const PIECES = { usual: 4, few: 8 } as const;

/** See {@link DenoisingUnetOptions.pieces}. */
export function piecesOf(lowMemory: boolean): number {
  return lowMemory ? PIECES.few : PIECES.usual;
}

/**
 * Share of a window's activations in one piece that are alive with {@link piecesOf}: counted on the graph, where 20.9 tensors
 * of the first width become 8.3 and 6.4.
 */
export function piecesShare(lowMemory: boolean): number {
  return lowMemory ? 0.31 : 0.4;
}

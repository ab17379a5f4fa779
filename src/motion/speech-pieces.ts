/** How long speech is cut into pieces for networks that look at a piece as a whole. */
import { assertIntegerInRange } from '../errors.ts';

/** Frames `first` to `first + frames - 1` of a clip. */
export interface SpeechPiece {
  readonly first: number;
  readonly frames: number;
}

/** Options of {@link planSpeechPieces}. */
interface SpeechPieceOptions {
  /** Frames of a piece; the last has up to twice as many. */
  readonly length: number;
  /** Frames at its beginning that a piece shares with the one before, less than `length`. */
  readonly overlap: number;
}

/**
 * Pieces of `length` frames; what is left at the end belongs to the last, so that no piece is short. Each but the first
 * begins `overlap` frames early.
 *
 * @example
 * planSpeechPieces(400, { length: 150, overlap: 30 }); // frames 0 to 149, and 120 to 399
 * Source: AniPortrait's `audio2vid.py`, which merges the last piece into the one before; it shares no frames, and fails
 * where a clip has one piece or ends with a whole one.
 */
export function planSpeechPieces(frames: number, { length, overlap }: SpeechPieceOptions): SpeechPiece[] {
  assertIntegerInRange('frames', frames, 1, Number.MAX_SAFE_INTEGER);
  assertIntegerInRange('length', length, 1, Number.MAX_SAFE_INTEGER);
  assertIntegerInRange('overlap', overlap, 0, length - 1);
  const count = Math.max(1, Math.floor(frames / length));
  return Array.from({ length: count }, (_, index) => {
    const first = index === 0 ? 0 : index * length - overlap;
    const end = index === count - 1 ? frames : (index + 1) * length;
    return { first, frames: end - first };
  });
}

/**
 * Share of piece `index` in a frame: where two pieces overlap, one fades into the other.
 *
 * @returns 0 to 1; the shares of all pieces in a frame sum to 1.
 */
export function pieceShare(pieces: readonly SpeechPiece[], index: number, frame: number): number {
  const { first, frames } = pieces[index]!;
  if (frame < first || frame >= first + frames) return 0;
  const before = pieces[index - 1];
  const after = pieces[index + 1];
  const fadeIn = before === undefined ? 1 : fade(frame, first, before.first + before.frames);
  const fadeOut = after === undefined ? 0 : fade(frame, after.first, first + frames);
  return fadeIn - fadeOut;
}

/** From 0 before `from` to 1 from `to` on. */
function fade(frame: number, from: number, to: number): number {
  if (frame >= to) return 1;
  if (frame < from) return 0;
  const t = (frame - from + 0.5) / (to - from);
  return t * t * (3 - 2 * t);
}

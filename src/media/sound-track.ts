/** A sound track of a file, with all that was found out about it when it was first read: what a second reading needs. */

import type { FilePart } from './joined-files.ts';

/** Front left, front right, centre: mono is all centre, stereo has none, and of surround sound the voice is the centre. */
export const DECODED_CHANNELS = 3;

/** What is cut off a part of a joined recording, in seconds. */
export interface PartCut {
  readonly head: number;
  readonly tail: number;
}

/** How the channels of a stretch of sound become a voice and a pair of loudspeakers. */
export interface SoundMix {
  /** What the mouth follows: all channels, the centre of surround sound, or the difference of two that cancel each other. */
  readonly voice: 'sum' | 'centre' | 'difference';
  /** Weights of the centre and of the sides in the clip's stereo. */
  readonly centre: number;
  readonly sides: number;
}

/** See {@link readAudio}, which makes it; a value that can be copied and kept. */
export interface SoundTrack {
  readonly path: string;
  /** Among the file's sound tracks, from 0. */
  readonly track: number;
  /** Whether samples that are no numbers are taken for silence. */
  readonly sanitise: boolean;
  /** What brings samples to −1 … 1 that were not scaled; 1 for others. */
  readonly gain: number;
  /** Whether a constant offset is taken out. */
  readonly blocksDc: boolean;
  /** For each stretch of one format; never empty. */
  readonly mixes: readonly SoundMix[];
  /** The recordings that the file is made of, where they say where they begin; empty for a file of one. */
  readonly parts: readonly FilePart[];
  /** For each part of a joined recording, what is cut off it; empty for others. */
  readonly cuts: readonly PartCut[];
  /** Seconds. */
  readonly duration: number;
}

/** The mix of a stretch; what follows the last is mixed as it is. */
export function mixOf({ mixes }: Pick<SoundTrack, 'mixes'>, stretch: number): SoundMix {
  return mixes[Math.min(stretch, mixes.length - 1)]!;
}

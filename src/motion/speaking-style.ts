/** Ways of speaking with the whole face, from still to lively. */

/** `calm` moves like a newsreader, `natural` like somebody in conversation, `lively` like a storyteller. */
export const STYLE_NAMES = ['calm', 'natural', 'lively'] as const;
/** One of {@link STYLE_NAMES}. */
export type SpeakingStyle = (typeof STYLE_NAMES)[number];

/** How strongly each part of the motion shows; 1 is that of `natural`. */
interface StyleStrengths {
  /** Pitch, yaw and roll of the head. */
  readonly head: readonly [pitch: number, yaw: number, roll: number];
  /** Share of the stressed syllables that head and brows mark. */
  readonly gestures: number;
  readonly brows: number;
  readonly gaze: number;
  /** Smiles at the ends of phrases. */
  readonly smiles: number;
  /** All that the mouth does in speech; lips that meet meet in every style. */
  readonly lips: number;
}

/** `calm` is measured on the speakers of a corpus of read commands, who hardly move; the others on talks and interviews. */
export const SPEAKING_STYLES: Readonly<Record<SpeakingStyle, StyleStrengths>> = {
  calm: { head: [0.34, 0.17, 0.17], gestures: 0.7, brows: 0.2, gaze: 0.5, smiles: 0, lips: 0.85 },
  natural: { head: [1, 1, 1], gestures: 1, brows: 1, gaze: 1, smiles: 1, lips: 1 },
  lively: { head: [1.35, 1.35, 1.35], gestures: 1.2, brows: 1.35, gaze: 1.1, smiles: 1.4, lips: 1.15 },
};

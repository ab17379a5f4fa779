/**
 * Tells music, hum and the like from a voice: what goes on for two seconds and opens the mouth no wider than a mumble would is no
 * speech, for a voice that goes on opens it as wide as an open vowel within a second of whatever it says. Single words may have none, but
 * there is silence around them.
 */
import { smoothstep } from './gesture-shapes.ts';

/** Outputs to either side that are looked at; a second. */
const AROUND = 50;
/** Centimetres that music opens the mouth to at most, and that speech comes to at least. */
const NARROW = 0.8;
const WIDE = 1.05;
/** Share of these outputs with sound up to which a sound stands alone, and from which on it goes on. */
const ALONE = 0.5;
const GOING_ON = 0.7;
/** Of the voice's power: what is less is no sound, -20 dB. */
const SOUND = 0.01;

/** Outputs to either side that {@link speechShare} looks at. */
export const SPEECH_REACH = AROUND;

/**
 * `[count]`, 1 where speech is heard, 0 where music is. Nothing is assumed beyond the ends: outputs nearer to them than {@link SPEECH_REACH}
 * are judged by fewer.
 *
 * @param openings - `[count]` cm, how far the network opens the lips.
 * @param powers - `[count]`, of {@link soundPower}.
 * @param voice - of {@link voicePower}.
 */
export function speechShare(openings: Float32Array, powers: Float64Array, voice: number): Float32Array {
  return openings.map((_, i) => {
    let widest = 0;
    let sounding = 0;
    for (let near = Math.max(0, i - AROUND); near <= Math.min(openings.length - 1, i + AROUND); near++) {
      widest = Math.max(widest, openings[near]!);
      if (powers[near]! > SOUND * voice) sounding++;
    }
    const goesOn = smoothstep((sounding / (2 * AROUND + 1) - ALONE) / (GOING_ON - ALONE));
    const mumbled = 1 - smoothstep((widest - NARROW) / (WIDE - NARROW));
    return 1 - goesOn * mumbled;
  });
}

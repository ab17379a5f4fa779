/** A voice made of numbers whose phrases, stresses and melody are known. */
import { RandomStream } from '../../src/tensor/random.ts';

export const SAMPLE_RATE = 16_000;

/** A phrase of the made voice. */
export interface SpokenPhrase {
  /** In seconds. */
  readonly start: number;
  readonly end: number;
  /** Of its stressed syllables' loudest moments, in seconds. */
  readonly stresses: readonly number[];
}

/** Options of {@link speak}. */
export interface SpeakOptions {
  /** Chooses lengths of phrases and pauses, and stresses. @defaultValue 1 */
  readonly seed?: number;
  /** Fundamental frequency in Hz. @defaultValue 120 */
  readonly pitch?: number;
  /** @defaultValue 0.2 */
  readonly level?: number;
  /** Semitones by which the last half second of each phrase rises. @defaultValue −2 */
  readonly finalRise?: number;
}

/** About `seconds` of syllables, some of them stressed: louder by 8 dB and higher by three semitones. */
export function speak(
  seconds: number,
  { seed = 1, pitch = 120, level = 0.2, finalRise = -2 }: SpeakOptions = {},
): { readonly pcm: Float32Array; readonly phrases: readonly SpokenPhrase[] } {
  const pcm = new Float32Array(Math.round(seconds * SAMPLE_RATE));
  const phrases: SpokenPhrase[] = [];
  const random = new RandomStream([seed, 0x7370]);
  const SYLLABLE = 0.22;
  let [time, phase] = [0.4, 0];
  while (time < seconds - 1) {
    const count = 6 + Math.floor(8 * random.uniform());
    const end = Math.min(time + count * SYLLABLE, seconds - 0.3);
    const stresses: number[] = [];
    for (let syllable = 0; time + (syllable + 1) * SYLLABLE <= end + 1e-6; syllable++) {
      const from = time + syllable * SYLLABLE;
      const isStressed = syllable % 4 === 1 + Math.floor(2 * random.uniform());
      if (isStressed) stresses.push(from + SYLLABLE / 2);
      for (let i = Math.round(from * SAMPLE_RATE); i < (from + SYLLABLE) * SAMPLE_RATE; i++) {
        const at = i / SAMPLE_RATE;
        const swell = 0.12 + 0.88 * Math.sin((Math.PI * (at - from)) / SYLLABLE) ** 2;
        const rising = Math.min(1, Math.max(0, 1 - (end - at) / 0.5)) * finalRise;
        const semitones = rising + (isStressed ? 3 * swell : 0);
        phase += (2 * Math.PI * pitch * 2 ** (semitones / 12)) / SAMPLE_RATE;
        let value = 0;
        for (let harmonic = 1; harmonic <= 12; harmonic++) value += Math.sin(harmonic * phase) / harmonic;
        pcm[i] = level * (isStressed ? 1 : 0.4) * swell * value;
      }
    }
    phrases.push({ start: time, end, stresses });
    time = end + 0.5 + 0.7 * random.uniform();
  }
  return { pcm, phrases };
}

/** White noise from a fixed generator. */
export function whiteNoise(seconds: number, level: number): Float32Array {
  const random = new RandomStream([0x6e6f]);
  return Float32Array.from(
    { length: Math.round(seconds * SAMPLE_RATE) },
    () => level * (2 * random.uniform() - 1),
  );
}

/** Standard deviation. */
export function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

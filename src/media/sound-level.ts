/** Levels of a recording that its motion depends on: samples that were not scaled, an offset, speech that is hardly audible. */

/** Decoders overshoot a little; from here on samples were not scaled. */
const LARGEST_SCALED = 2;
/** Full scales of integers that programs write as floats, and how far resampling may lead beyond. */
const INTEGER_SCALES = [2 ** 7, 2 ** 15, 2 ** 23, 2 ** 31];
const LEAST_INTEGER = 64;
const OVERSHOOT = 1.5;
/** An offset with more than 6 % of the sound's power; less is common, and moves no measure. */
const DC_SHARE = 0.25;
/** Below this peak, −34 dB of full scale, the measures of loudness no longer tell speech from pauses. */
const QUIET_PEAK = 0.02;
/** Below this one, −80 dB, 16 bits hold nothing that could be understood. */
const LEAST_PEAK = 1e-4;
/** What quiet speech is brought to. */
const LOUD_PEAK = 0.3;
/** Speech has pauses: its loud tenths of a second have at least so many times the power of the quiet ones, noise has not. */
const SPEECH_DYNAMICS = 10;

/** What brings samples with this peak to −1 … 1; 1 if they are there. */
export function unscaledGain(peak: number): number {
  if (peak <= LARGEST_SCALED) return 1;
  const scale = INTEGER_SCALES.find((each) => peak <= OVERSHOOT * each);
  return peak >= LEAST_INTEGER && scale !== undefined ? 1 / scale : 1 / peak;
}

/** Whether a recording is shifted so far from zero that its level is mismeasured. */
export function hasDcOffset(pcm: Float32Array): boolean {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < pcm.length; i++) {
    sum += pcm[i]!;
    squares += pcm[i]! ** 2;
  }
  const mean = sum / pcm.length;
  const variance = Math.max(0, squares / pcm.length - mean ** 2);
  return Math.abs(mean) > DC_SHARE * Math.sqrt(variance) && Math.abs(mean) > LEAST_PEAK;
}

/** What makes speech that is hardly audible as loud as other speech; 1 for all else, and for noise. */
export function quietSpeechGain(pcm: Float32Array, sampleRate: number, peak: number): number {
  if (peak >= QUIET_PEAK || peak < LEAST_PEAK) return 1;
  const size = Math.floor(sampleRate / 10);
  const powers: number[] = [];
  for (let from = 0; from + size <= pcm.length; from += size) {
    let sum = 0;
    for (let i = from; i < from + size; i++) sum += pcm[i]! ** 2;
    powers.push(sum);
  }
  powers.sort((a, b) => a - b);
  const at = (share: number): number => powers[Math.floor(share * (powers.length - 1))] ?? 0;
  return at(0.9) > SPEECH_DYNAMICS * at(0.1) ? LOUD_PEAK / peak : 1;
}

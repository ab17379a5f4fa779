/** Phones of text-to-speech, in IPA or in a voice's own names, as the classes that mouths are measured by. */
import type { Phone } from './held-out.ts';

const SILENCE = 'SIL';
/** Names that stand for every closing consonant, every vowel, and everything else. */
const CLOSED = 'P';
const VOWEL = 'AA';
const OTHER = '-';
const VOWELS = 'aeiouyæøœɐɑɒɔəɘɛɜɚɝɞɤɨɪɯɵɶʉʊʌʏᵻ@';

/**
 * ARPAbet's P for what is spoken with closed lips, AA for vowels, SIL for silence; `-` for the rest. Festival's Italian writes open vowels
 * as capitals: E1, O1.
 */
export function phoneClass(name: string): string {
  // Espeak names the language where it changes: (en).
  if (name === SILENCE || name.startsWith('(')) return SILENCE;
  const first = name[0]!;
  if ('pbmɓ'.includes(first)) return CLOSED;
  return VOWELS.includes(first) || /^[EO]\d?$/.test(name) ? VOWEL : OTHER;
}

/** Phones of a file of `start end name` lines; pauses without length are left out. */
export function parseSyntheticPhones(text: string): Phone[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [start, end, name] = line.split('\t');
      return { start: Number(start), end: Number(end), name: phoneClass(name!) };
    })
    .filter(({ start, end }) => end > start);
}

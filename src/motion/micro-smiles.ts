/** Faint smiles after some phrases, as listeners are given while one draws breath. */
import { RandomStream } from '../tensor/random.ts';
import { strokeAt } from './gesture-shapes.ts';
import { PROSODY_RATE, type Prosody } from './prosody.ts';
import { SPEAKING_STYLES, type SpeakingStyle } from './speaking-style.ts';

/** Names the random stream of smiles among those of a seed. */
const SMILE_STREAM = 0x736d;
/** Share of the phrases that end with one. */
const SHARE = 0.4;
/** Strength, 1 being a broad smile. */
const LEAST = 0.12;
const MOST = 0.32;
const REACH_BEFORE = 1;
const REACH_AFTER = 3;

/** Strength of the smile at a time in seconds, 0 to about 0.5. */
export function createMicroSmiles(
  seed: number,
  prosody: Prosody,
  style: SpeakingStyle = 'natural',
): (time: number) => number {
  const { smiles } = SPEAKING_STYLES[style];
  return (time) => {
    let smile = 0;
    for (const { time: at, kind } of prosody.boundaries(time - REACH_AFTER, time + REACH_BEFORE)) {
      const random = new RandomStream([seed, SMILE_STREAM, Math.round(at * PROSODY_RATE)]);
      if (kind !== 'end' || random.uniform() >= SHARE) continue;
      const size = LEAST + (MOST - LEAST) * random.uniform();
      const hold = 0.3 + 0.5 * random.uniform();
      const course = strokeAt(time - at - 0.35, { rise: 0.5, hold, fall: 1 });
      smile = Math.max(smile, smiles * size * course);
    }
    return smile;
  };
}

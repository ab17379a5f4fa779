/** Collects decoded sound and finds in which of its channels the voice is. */
import type { SoundPiece } from './decode-sound.ts';
import { DECODED_CHANNELS, type SoundMix } from './sound-track.ts';

/** Channels cancel each other if their difference has so many times the power of their mean: a correlation below −0.6. */
const OPPOSED = 4;
/** The centre of surround sound speaks if it has at least this share of the power of the others. */
const SPEAKING_CENTRE = 1e-3;
/** Weight of the centre in each of two loudspeakers, as ffmpeg mixes. */
const CENTRE_WEIGHT = Math.fround(Math.SQRT1_2);
const MONO: SoundMix = { voice: 'sum', centre: CENTRE_WEIGHT, sides: 1 };
/** Of sound that is stereo elsewhere: as loud as there. */
const MONO_IN_STEREO: SoundMix = { ...MONO, centre: 1 };
/** Both together stay below full scale. */
const SURROUND = { centre: 0.5, sides: CENTRE_WEIGHT };

/** Powers of a stretch of one format. */
interface Stretch {
  readonly from: number;
  mid: number;
  side: number;
  centre: number;
}

/** What a whole track is found to be. */
interface FoundVoice {
  /** Mono. */
  readonly pcm: Float32Array;
  readonly mixes: readonly SoundMix[];
}

/** Collects a track. */
export class VoiceMix {
  readonly #stretches: Stretch[] = [];
  // Mono has no sides, stereo no centre, and most stereo recordings of a voice no difference: these are not kept.
  readonly #centre = new SparseSamples();
  readonly #mid = new SparseSamples();
  readonly #side = new SparseSamples();
  #length = 0;
  /** Largest magnitude of a channel, of the samples that are numbers. */
  peak = 0;
  /** Index of the first sample that is not a finite number. */
  firstNotFinite: number | undefined;

  get length(): number {
    return this.#length;
  }

  append({ samples, stretch }: SoundPiece): void {
    while (this.#stretches.length <= stretch) {
      this.#stretches.push({ from: this.#length, mid: 0, side: 0, centre: 0 });
    }
    const powers = this.#stretches[stretch]!;
    const count = samples.length / DECODED_CHANNELS;
    const parts = [new Float32Array(count), new Float32Array(count), new Float32Array(count)] as const;
    const [mids, sides, centres] = parts;
    for (let i = 0; i < count; i++) {
      const [left, right, centre] = [samples[3 * i]!, samples[3 * i + 1]!, samples[3 * i + 2]!];
      const largest = Math.max(Math.abs(left), Math.abs(right), Math.abs(centre));
      if (!Number.isFinite(largest)) {
        this.firstNotFinite ??= this.#length + i;
        continue;
      }
      if (largest > this.peak) this.peak = largest;
      mids[i] = 0.5 * left + 0.5 * right;
      sides[i] = 0.5 * left - 0.5 * right;
      centres[i] = centre;
      powers.mid += mids[i]! ** 2;
      powers.side += sides[i]! ** 2;
      powers.centre += centre ** 2;
    }
    this.#mid.append(mids);
    this.#side.append(sides);
    this.#centre.append(centres);
    this.#length += count;
  }

  /** The voice; what was collected is gone afterwards. */
  take(): FoundVoice {
    const hasStereo = this.#stretches.some(({ mid, side }) => mid + side > 0);
    const mixes = this.#stretches.map((stretch) => chooseMix(stretch, hasStereo));
    // Whichever is there is made the result, so that mono costs no second copy.
    const [mid, side, centre] = [this.#mid.take(), this.#side.take(), this.#centre.take()];
    const pcm = centre ?? mid ?? side ?? new Float32Array(this.#length);
    this.#stretches.forEach(({ from }, index) => {
      const to = this.#stretches[index + 1]?.from ?? this.#length;
      const { voice } = mixes[index]!;
      for (let i = from; i < to; i++) {
        const sides = voice === 'centre' ? 0 : voice === 'sum' ? (mid?.[i] ?? 0) : (side?.[i] ?? 0);
        pcm[i] = (centre?.[i] ?? 0) + sides;
      }
    });
    return { pcm, mixes: mixes.length > 0 ? mixes : [MONO] };
  }
}

function chooseMix({ mid, side, centre }: Stretch, hasStereo: boolean): SoundMix {
  const sides = mid + side;
  if (sides === 0) return hasStereo ? MONO_IN_STEREO : MONO;
  if (centre > 0) return { ...SURROUND, voice: centre > SPEAKING_CENTRE * sides ? 'centre' : 'sum' };
  return { ...MONO, voice: side > OPPOSED * mid ? 'difference' : 'sum' };
}

/** Samples of which nothing is kept as long as all are 0. */
class SparseSamples {
  #data: Float32Array | undefined;
  #length = 0;

  append(samples: Float32Array): void {
    const end = this.#length + samples.length;
    if (this.#data !== undefined || samples.some((value) => value !== 0)) {
      if (this.#data === undefined || end > this.#data.length) {
        const larger = new Float32Array(Math.max(1 << 18, 2 * this.#length, end));
        if (this.#data !== undefined) larger.set(this.#data.subarray(0, this.#length));
        this.#data = larger;
      }
      this.#data.set(samples, this.#length);
    }
    this.#length = end;
  }

  /** All samples, in an array of their own; undefined if all are 0. */
  take(): Float32Array | undefined {
    const taken = this.#data?.slice(0, this.#length);
    this.#data = undefined;
    return taken;
  }
}

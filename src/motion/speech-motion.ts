/**
 * AniPortrait's way from speech to motion: offsets of the mesh and head poses at 30 frames a second, for speech of any
 * length and any frame rate of the video.
 *
 * Source: `audio2vid.py` of AniPortrait, commit 7f6593f. Unlike there, speech of any length works, pieces fade into each
 * other instead of jumping, and the speaker whose way of moving is taken follows from the seed.
 */
import { InvalidOptionError } from '../errors.ts';
import type { AniPortraitAudioConfig } from '../models/audio-config.ts';
import { featureCount, interpolateFeatures } from '../models/wav2vec2.ts';
import { RandomStream } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { faceRegions } from './face-regions.ts';
import { MESH_VALUES, POSE_VALUES } from './motion.ts';
import type { MotionNetwork } from './predict-expression.ts';
import { sampleCurve } from './resample-curve.ts';
import { pieceShare, planSpeechPieces, type SpeechPiece } from './speech-pieces.ts';

/** Networks made of the graphs of audio2mesh.ts and audio2pose.ts. */
export interface SpeechNetworks {
  readonly meshFeatures: MotionNetwork;
  readonly mesh: MotionNetwork;
  /** Null where the bundle has no head poses. */
  readonly pose: {
    readonly features: MotionNetwork;
    readonly memory: MotionNetwork;
    readonly step: MotionNetwork;
  } | null;
}

/** Options of {@link SpeechMotion}. */
export interface SpeechMotionOptions {
  readonly networks: SpeechNetworks;
  readonly config: AniPortraitAudioConfig;
  /** The clip's whole speech: mono, at the configured sample rate. */
  readonly pcm: Float32Array;
  /** Of the video. */
  readonly fps: number;
  /** The portrait's metric mesh [468, 3]: tells which vertices belong to mouth and eyes. */
  readonly mesh: ArrayLike<number>;
  /** Chooses the speaker. */
  readonly seed: number;
  /** All offsets of the mesh. */
  readonly expressionScale: number;
  /** Those of mouth and jaw, on top of `expressionScale`. */
  readonly mouthScale: number;
  /** Those of the lids, which the speech network moves with the rest. */
  readonly blinkScale: number;
  /** Head motion; 0 keeps the head still. */
  readonly headPoseScale: number;
  readonly signal?: AbortSignal | undefined;
}

/** Names the stream that the speaker is drawn from among those of a seed. */
const SPEAKER_STREAM = 0x5350;
/** Frames of a piece of head poses, as in the original. */
const POSE_PIECE = { length: 150, overlap: 30 };
/** Speech up to twice this length is one piece for the mesh; attention to all of it costs memory with its square. */
const MESH_PIECE = { length: 900, overlap: 30 };
/** The original halves all rotations, and smooths poses over this many frames. */
const ROTATION_SCALE = 0.5;
const SMOOTHING_FRAMES = 7;
/** Shorter speech is filled up with silence. */
const MIN_SAMPLES = 1600;
/** Pieces that are kept: neighbours, and what smoothing and interpolation look at beyond them. */
const KEPT_PIECES = 3;

/** Zero mean and unit variance over the whole clip. Source: `Wav2Vec2FeatureExtractor` of Hugging Face transformers. */
export function normaliseSpeech(pcm: Float32Array): Float32Array {
  let sum = 0;
  for (const value of pcm) sum += value;
  const mean = sum / pcm.length;
  let squares = 0;
  for (const value of pcm) squares += (value - mean) ** 2;
  const scale = 1 / Math.sqrt(squares / pcm.length + 1e-7);
  return pcm.map((value) => (value - mean) * scale);
}

/** Frames that so many samples last, the last one begun. */
export function speechFrames(samples: number, { sampleRate, fps }: AniPortraitAudioConfig): number {
  return Math.ceil((samples * fps) / sampleRate);
}

/** Motion of a clip, frame by frame; frames near to each other cost least. */
export class SpeechMotion {
  readonly #options: SpeechMotionOptions;
  readonly #speech: Float32Array;
  readonly #frames: number;
  readonly #speaker: number;
  readonly #offsetScales: Float32Array;
  readonly #meshPieces: PieceStore;
  readonly #posePieces: PieceStore | undefined;

  /** @throws {@link InvalidOptionError} if the speech is empty. */
  constructor(options: SpeechMotionOptions) {
    const { pcm, config, networks, seed, mesh } = options;
    if (pcm.length === 0) {
      throw new InvalidOptionError('Cannot animate empty speech: expected at least one sample', 'pcm', 0);
    }
    this.#options = options;
    this.#speech = padded(normaliseSpeech(pcm), MIN_SAMPLES);
    this.#frames = speechFrames(pcm.length, config);
    const speakers = config.pose?.speakers ?? 1;
    this.#speaker = Math.floor(new RandomStream([seed, SPEAKER_STREAM]).uniform() * speakers);
    const { mouth, lids } = faceRegions(mesh);
    this.#offsetScales = Float32Array.from(
      mouth,
      (share, vertex) =>
        options.expressionScale *
        (1 + (options.mouthScale - 1) * share) *
        (1 + (options.blinkScale - 1) * lids[vertex]!),
    );
    this.#meshPieces = new PieceStore(this.#frames, MESH_PIECE, MESH_VALUES, (piece) =>
      this.#makeMesh(piece),
    );
    if (networks.pose !== null && options.headPoseScale > 0) {
      this.#posePieces = new PieceStore(this.#frames, POSE_PIECE, POSE_VALUES, (piece) =>
        this.#makePoses(piece),
      );
    }
  }

  /** Motion of frame `frame` of the video: offsets [468, 3] in cm, pose [6] in degrees and cm. */
  async at(frame: number): Promise<{ readonly offsets: Float32Array; readonly pose: Float32Array }> {
    const position = Math.min((frame * this.#options.config.fps) / this.#options.fps, this.#frames - 1);
    const scales = this.#offsetScales;
    const offsets = (await this.#sample(this.#meshPieces, position, 0)).map(
      (value, i) => value * scales[Math.floor(i / 3)]!,
    );
    const pose =
      this.#posePieces === undefined
        ? new Float32Array(POSE_VALUES)
        : await this.#sample(this.#posePieces, position, (SMOOTHING_FRAMES - 1) / 2);
    return { offsets, pose: pose.map((value) => value * this.#options.headPoseScale) };
  }

  /** The vector at a position between frames, each frame the mean of those up to `reach` around it. */
  async #sample(pieces: PieceStore, position: number, reach: number): Promise<Float32Array> {
    const smooth = async (frame: number): Promise<Float32Array> => {
      const from = Math.max(0, frame - reach);
      const to = Math.min(this.#frames - 1, frame + reach);
      const sum = (await pieces.at(from)).slice();
      for (let near = from + 1; near <= to; near++) {
        const vector = await pieces.at(near);
        for (let i = 0; i < sum.length; i++) sum[i]! += vector[i]!;
      }
      return sum.map((value) => value / (to - from + 1));
    };
    if (Number.isInteger(position)) return smooth(position);
    const first = Math.max(0, Math.floor(position) - 1);
    const last = Math.min(this.#frames - 1, Math.floor(position) + 2);
    const rows: Float32Array[] = [];
    for (let frame = first; frame <= last; frame++) rows.push(await smooth(frame));
    const out = new Float32Array(rows[0]!.length);
    const data = new Float32Array(rows.length * out.length);
    rows.forEach((row, i) => {
      data.set(row, i * out.length);
    });
    sampleCurve(data, position - first, out);
    return out;
  }

  /** Features of a piece's samples, brought to its frames. */
  async #features(network: MotionNetwork, { first, frames }: SpeechPiece): Promise<Tensor> {
    const { encoder, sampleRate, fps } = this.#options.config;
    this.#options.signal?.throwIfAborted();
    const start = Math.round((first * sampleRate) / fps);
    const whole = first + frames === this.#frames;
    const end = whole ? this.#speech.length : Math.round(((first + frames) * sampleRate) / fps);
    const samples = this.#speech.slice(start, end);
    if (featureCount(encoder, samples.length) === 0) throw new Error(`${samples.length} samples are too few`);
    const { features } = await network.run({ audio: { data: samples, dims: [1, samples.length] } });
    return interpolateFeatures(features!, frames);
  }

  async #makeMesh(piece: SpeechPiece): Promise<Float32Array> {
    const { networks } = this.#options;
    const features = await this.#features(networks.meshFeatures, piece);
    return (await networks.mesh.run({ features })).mesh!.data;
  }

  async #makePoses(piece: SpeechPiece): Promise<Float32Array> {
    const { pose } = this.#options.networks;
    const { crossed } = await pose!.memory.run({ features: await this.#features(pose!.features, piece) });
    const poses = await decodePoses(pose!.step, crossed!, {
      config: this.#options.config,
      speaker: this.#speaker,
      signal: this.#options.signal,
    });
    return poses.map((value, i) => (i % POSE_VALUES < 3 ? ROTATION_SCALE * value : value));
  }
}

/** Options of {@link decodePoses}. */
interface DecodePosesOptions {
  readonly config: AniPortraitAudioConfig;
  readonly speaker: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Poses of a piece, one after another, from the portrait's own.
 *
 * @param crossed - [frames, layers, width] of Audio2Pose's speech side.
 * @returns [frames, 6].
 */
export async function decodePoses(
  step: MotionNetwork,
  crossed: Tensor,
  { config, speaker, signal }: DecodePosesOptions,
): Promise<Float32Array> {
  const [frames, layers, width] = crossed.dims as [number, number, number];
  const heads = config.pose!.numHeads;
  const nothing = (): Tensor => ({ data: new Float32Array(0), dims: [layers, heads, 0, width / heads] });
  const poses = new Float32Array(frames * POSE_VALUES);
  let pose = new Float32Array(POSE_VALUES);
  let keys = nothing();
  let values = nothing();
  for (let frame = 0; frame < frames; frame++) {
    signal?.throwIfAborted();
    const row = crossed.data.slice(frame * layers * width, (frame + 1) * layers * width);
    const out = await step.run({
      pose: { data: pose, dims: [1, POSE_VALUES] },
      position: { data: Float32Array.of(frame), dims: [1] },
      speaker: { data: Float32Array.of(speaker), dims: [1] },
      crossed: { data: row, dims: [layers, width] },
      keys,
      values,
    });
    pose = Float32Array.from(out.next!.data);
    keys = out.all_keys!;
    values = out.all_values!;
    poses.set(pose, frame * POSE_VALUES);
  }
  return poses;
}

/** Makes pieces when they are needed, keeps a few, and joins them. */
class PieceStore {
  readonly #pieces: readonly SpeechPiece[];
  readonly #values: number;
  readonly #make: (piece: SpeechPiece) => Promise<Float32Array>;
  readonly #made = new Map<number, Promise<Float32Array>>();

  constructor(
    frames: number,
    options: { readonly length: number; readonly overlap: number },
    values: number,
    make: (piece: SpeechPiece) => Promise<Float32Array>,
  ) {
    this.#pieces = planSpeechPieces(frames, options);
    this.#values = values;
    this.#make = make;
  }

  #piece(index: number): Promise<Float32Array> {
    let made = this.#made.get(index);
    if (made === undefined) {
      made = this.#make(this.#pieces[index]!);
      this.#made.set(index, made);
      for (const old of [...this.#made.keys()].slice(0, -KEPT_PIECES)) this.#made.delete(old);
    }
    return made;
  }

  /** The vector of one frame. */
  async at(frame: number): Promise<Float32Array> {
    const out = new Float32Array(this.#values);
    for (const [index, { first }] of this.#pieces.entries()) {
      if (first > frame) break;
      const share = pieceShare(this.#pieces, index, frame);
      if (share === 0) continue;
      const data = await this.#piece(index);
      const from = (frame - first) * this.#values;
      for (let i = 0; i < out.length; i++) out[i]! += share * data[from + i]!;
    }
    return out;
  }
}

function padded(samples: Float32Array, least: number): Float32Array {
  if (samples.length >= least) return samples;
  const out = new Float32Array(least);
  out.set(samples);
  return out;
}

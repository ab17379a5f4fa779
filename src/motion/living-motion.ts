/**
 * A face that lives: over another source of motion, which moves the mouth, this one moves head, brows and lids by the
 * prosody of the speech, lets the face breathe, look about, blink and smile a little, and holds an emotion.
 */
import { assertIntegerInRange, assertNumberInRange } from '../errors.ts';
import { createBlinking } from './blinking.ts';
import { createBrowMotion } from './brow-motion.ts';
import { type BrowMove, BrowShapes } from './brow-shapes.ts';
import { type Emotions, faceEmotion } from './emotions.ts';
import { addField } from './face-field.ts';
import { createGaze } from './gaze.ts';
import { smoothstep } from './gesture-shapes.ts';
import { createHeadMotion } from './head-motion.ts';
import { LidShapes } from './lid-shapes.ts';
import { createMicroSmiles } from './micro-smiles.ts';
import { POSE_VALUES } from './motion.ts';
import type { FrameMotion, MotionSource } from './motion-source.ts';
import { Prosody } from './prosody.ts';
import type { SpeakingStyle } from './speaking-style.ts';

/** Closing of the lids for each degree that the eyes look down, and opening for each degree up. */
const LIDS_PER_DEGREE_DOWN = 0.022;
const LIDS_PER_DEGREE_UP = 0.012;
/** Share of the head's turn that the eyes take back, to stay on what they look at. */
const STEADINESS = 0.75;
/** Seconds in which an emotion, and all else but the mouth, sets in. */
const FADE_IN = 0.8;
/** Frames that are kept: a frame is asked for by its conditions, its picture and its mask. */
const KEPT_FRAMES = 32;

/** Options of {@link LivingMotion}. */
export interface LivingMotionOptions {
  /** Moves the mouth; its pose is replaced where the head is generated. */
  readonly source: MotionSource;
  /** The clip's whole speech: mono, −1 to 1. */
  readonly pcm: Float32Array;
  /** Of `pcm`, in Hz. */
  readonly sampleRate: number;
  /** Of the video. */
  readonly fps: number;
  /** The portrait's metric mesh [468, 3], in centimetres. */
  readonly mesh: ArrayLike<number>;
  readonly seed: number;
  /** @defaultValue 'natural' */
  readonly style?: SpeakingStyle | undefined;
  /** @defaultValue none */
  readonly emotions?: Emotions | undefined;
  /** Brows, smiles and emotion, 0 to 3. @defaultValue 1 */
  readonly expressionScale?: number | undefined;
  /** Head and breath, 0 to 3; 0 keeps the head still. @defaultValue 1 */
  readonly headPoseScale?: number | undefined;
  /** Blinks and lids, 0 to 3; 0 leaves the eyes open. @defaultValue 1 */
  readonly blinkScale?: number | undefined;
  /**
   * Whether head, brows, lids and smiles are made here; otherwise they are the source's, and only the emotion is added.
   * @defaultValue true
   */
  readonly generates?: boolean | undefined;
}

/** See above. Frames can be asked for in any order, and are the same in any. */
export class LivingMotion implements MotionSource {
  readonly #source: MotionSource;
  readonly #fps: number;
  readonly #add: Life;
  readonly #frames = new Map<number, Promise<FrameMotion>>();

  /** @throws {@link InvalidOptionError} if a number is out of range. */
  constructor(options: LivingMotionOptions) {
    const { seed, fps, expressionScale = 1, headPoseScale = 1, blinkScale = 1 } = options;
    assertNumberInRange('fps', fps, 1, 240);
    assertIntegerInRange('seed', seed, 0, Number.MAX_SAFE_INTEGER);
    const scales = { expressionScale, headPoseScale, blinkScale };
    for (const [name, scale] of Object.entries(scales)) assertNumberInRange(name, scale, 0, 3);
    this.#source = options.source;
    this.#fps = fps;
    this.#add = createLife({ ...options, ...scales });
  }

  /** Motion of frame `frame`, counted from the clip's first. */
  at(frame: number): Promise<FrameMotion> {
    let motion = this.#frames.get(frame);
    if (motion === undefined) {
      motion = this.#make(frame);
      this.#frames.set(frame, motion);
      if (this.#frames.size > KEPT_FRAMES) this.#frames.delete(this.#frames.keys().next().value!);
    }
    return motion;
  }

  async #make(frame: number): Promise<FrameMotion> {
    const { offsets, pose } = await this.#source.at(frame);
    const motion = { offsets: offsets.slice(), pose: pose.slice() };
    const gaze = this.#add(frame / this.#fps, motion);
    return gaze === undefined ? motion : { ...motion, gaze };
  }
}

/** Adds to the motion at a time in seconds, in place. @returns where the eyes look, if they move */
type Life = (time: number, motion: FrameMotion) => FrameMotion['gaze'];

type Scales = Required<Pick<LivingMotionOptions, 'expressionScale' | 'headPoseScale' | 'blinkScale'>>;

function createLife({
  pcm,
  sampleRate,
  mesh,
  seed,
  style = 'natural',
  emotions = {},
  expressionScale,
  headPoseScale,
  blinkScale,
  generates = true,
}: Omit<LivingMotionOptions, keyof Scales> & { readonly [Key in keyof Scales]: number }): Life {
  const emotion = faceEmotion(mesh, emotions);
  const smile = faceEmotion(mesh, { happy: 1 });
  const browShapes = new BrowShapes(mesh);
  const lids = new LidShapes(mesh);
  const addEmotion = (amount: number, closing: number, { offsets }: FrameMotion): void => {
    addField(emotion.field, amount, offsets);
    browShapes.add(scaledMove(emotion.brows, amount), offsets);
    lids.add([closing, closing], offsets);
  };
  if (!generates) {
    return (time, motion) => {
      const held = expressionScale * smoothstep(time / FADE_IN);
      addEmotion(held, held * emotion.lids, motion);
      return undefined;
    };
  }

  const prosody = new Prosody(pcm, sampleRate);
  const headMotion = createHeadMotion({ prosody, seed, scale: headPoseScale, style });
  const browMotion = createBrowMotion({ prosody, seed, style });
  const gaze = createGaze({ prosody, seed, style });
  const blinking = createBlinking({ prosody, seed, glances: gaze.jumps });
  const microSmile = createMicroSmiles(seed, prosody, style);

  return (time, motion) => {
    const { offsets, pose } = motion;
    const fade = smoothstep(time / FADE_IN);
    headMotion(time, pose.fill(0, 0, POSE_VALUES), 0);
    const held = expressionScale * fade;
    addEmotion(held, 0, motion);
    const smiling = held * microSmile(time);
    addField(smile.field, smiling, offsets);
    browShapes.add(scaledMove(browMotion(time), held), offsets);

    // Eyes that look at somebody stay on him while the head turns.
    const looking = fade * Math.min(1, expressionScale);
    const eyes = gaze
      .at(time)
      .map((degrees, axis) => looking * (degrees - STEADINESS * pose[1 - axis]!)) as unknown as [
      number,
      number,
    ];
    const down = eyes[1];
    const following = down > 0 ? LIDS_PER_DEGREE_DOWN * down : LIDS_PER_DEGREE_UP * down;
    const resting = blinkScale * following + held * emotion.lids + smiling * smile.lids;
    const blink = Math.min(1, blinkScale * blinking(time));
    const closing = lids.opening.map((opening) => {
      const open = Math.min(1, expressionScale) * opening + resting;
      // From wherever the lids are, a blink takes them all the way.
      return open + (1 - open) * blink;
    }) as [number, number];
    lids.add(closing, offsets);
    return eyes;
  };
}

function scaledMove(move: BrowMove, scale: number): BrowMove {
  return {
    rightInner: scale * move.rightInner,
    rightOuter: scale * move.rightOuter,
    leftInner: scale * move.leftInner,
    leftOuter: scale * move.leftOuter,
    furrow: scale * move.furrow,
  };
}

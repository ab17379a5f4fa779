/** Messages between {@link FrameThread} and its worker. */
import type { DrivingMode } from '../driving/driving-modes.ts';
import type { MotionPart } from '../driving/motion-parts.ts';
import type { FaceChoice } from '../face/face-choice.ts';
import type { SeenFace } from '../face/portrait-face.ts';
import type { FfmpegInfo } from '../media/ffmpeg-path.ts';
import type { BundleState } from '../models/bundle.ts';
import type { FrameBase, FrameConditions, PixelBox, SceneReference } from '../models/frame-conditions.ts';
import type { MotionOptions } from '../motion/load-motion.ts';
import type { NetworkProfile } from '../runtime/engine.ts';
import type { NamedSpan } from '../runtime/time-span.ts';
import type { DrivenFace } from '../scene/framed-face.ts';
import type { Framing } from '../scene/framing.ts';
import type { OpenFilmOptions } from '../scene/open-film.ts';
import type { ComposedPicture, SceneView } from '../scene/scene.ts';
import type { VideoShape } from '../scene/video-shape.ts';
import type { GapChoice } from '../tracking/gap-choices.ts';

/** Opens the networks that find faces, while it is not known yet what else is wanted. */
interface FindFacesRequest {
  readonly kind: 'find-faces';
  readonly cacheFolder: string;
}

/** Opens the networks that all clips need; the first request but for {@link FindFacesRequest}. */
export interface StartRequest {
  readonly kind: 'start';
  readonly threads: number | undefined;
  readonly cacheFolder: string;
  /** Where the engine writes its profile; the thread then notes what it does. */
  readonly profileFolder: string | undefined;
}

/** Opens a clip with its portrait. */
export interface PortraitRequest {
  readonly kind: 'open-portrait';
  /** Chosen by the caller, for all later requests. */
  readonly clip: number;
  readonly path: string;
  /** Side of the square that the networks see, in pixels. */
  readonly resolution: number;
  readonly framing: Framing;
  readonly view: SceneView;
  readonly face?: FaceChoice | undefined;
  readonly shape?: VideoShape | undefined;
  readonly background?: string | undefined;
  /** Takes the largest square in the middle of the picture, wherever the face is. @defaultValue false */
  readonly centred?: boolean | undefined;
}

/** Opens a clip with a film whose face gets another voice. */
export interface FilmRequest
  extends Pick<OpenFilmOptions, 'path' | 'ffmpeg' | 'fps' | 'duration' | 'face' | 'resolution' | 'view'> {
  readonly kind: 'open-film';
  /** Chosen by the caller, for all later requests. */
  readonly clip: number;
}

/** A film or a motion file that is opened, and kept under a number until it is closed. */
export interface RecordingRequest {
  readonly kind: 'open-recording';
  /** Chosen by the caller, for all later requests. */
  readonly recording: number;
  readonly source: RecordingSource;
}

/** Where recorded motion comes from. */
export type RecordingSource =
  | { readonly type: 'motion-file'; readonly path: string }
  | {
      readonly type: 'film';
      readonly path: string;
      readonly ffmpeg: FfmpegInfo;
      readonly face: number | undefined;
      readonly gaps: GapChoice;
      /** Seconds after which the film is not looked at. */
      readonly duration: number | undefined;
    }
  | {
      readonly type: 'pose-video';
      readonly path: string;
      readonly ffmpeg: FfmpegInfo;
      /** Of the clip. @defaultValue the video's own rate */
      readonly fps: number | undefined;
    };

/** What is known of a recording. */
export interface RecordingInfo {
  readonly frames: number;
  readonly fps: number;
  /** Whether it has a face, not a head alone. */
  readonly hasFace: boolean;
  /** Whether it is a film with sound. */
  readonly hasSound: boolean;
}

/** Recordings that move a clip, by their numbers. */
export interface Driving {
  readonly face?: {
    readonly recording: number;
    readonly parts: readonly MotionPart[];
    readonly mode: DrivingMode;
  };
  /** What moves the head alone, whatever else does. */
  readonly head?: number;
  /** Drawings that the networks see; nothing else moves the clip then. */
  readonly poses?: number;
}

/** Opens the networks that make the motion of a bundle's clips, which {@link MotionRequest} would else wait for. */
interface OpenMotionRequest extends Pick<MotionRequest, 'bundle' | 'lowMemory'> {
  readonly kind: 'open-motion';
}

/** Gives an open clip its motion, and makes the first part of it. */
export interface MotionRequest extends Pick<MotionOptions, 'pcm' | 'fps' | 'frames' | 'scales'> {
  readonly kind: 'add-motion';
  readonly clip: number;
  readonly bundle: BundleState;
  readonly driving: Driving;
  /** Closes the speech networks before the clip is rendered; large ones are closed anyway. @defaultValue false */
  readonly lowMemory?: boolean;
  /** Whether there is speech; a face without it lives. @defaultValue true */
  readonly speaks?: boolean;
  /** Whether the clip's end leads back to its beginning. @defaultValue false */
  readonly loops?: boolean;
}

/** What the thread is asked to do. */
export type FrameRequest =
  | FindFacesRequest
  | StartRequest
  | { readonly kind: 'take-profile' }
  | PortraitRequest
  | FilmRequest
  | RecordingRequest
  | OpenMotionRequest
  | MotionRequest
  | { readonly kind: 'conditions'; readonly clip: number; readonly frame: number }
  | { readonly kind: 'base'; readonly clip: number; readonly frame: number }
  | { readonly kind: 'shown'; readonly clip: number; readonly frame: number }
  | { readonly kind: 'driven-face'; readonly clip: number; readonly frame: number }
  | {
      readonly kind: 'compose';
      readonly clip: number;
      readonly frame: number;
      readonly decoded: Float32Array;
      /** Of an earlier picture of the clip. */
      readonly memory: Uint8Array | undefined;
    }
  | { readonly kind: 'close-clip'; readonly clip: number }
  | { readonly kind: 'close-recording'; readonly recording: number };

/** What is known of a portrait before it moves. */
export interface PortraitInfo {
  /** Pixels of the video's frames, even. */
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  /** Of a portrait: all of its faces, from the left, in pixels of the file. */
  readonly faces?: readonly SeenFace[];
}

/** What is known of a film before it gets its voice. */
export interface FilmInfo extends PortraitInfo {
  readonly fps: number;
  /** Of the film, as far as it was looked at. */
  readonly frames: number;
}

/** What the thread has done since it started. */
export interface FrameProfile {
  /** Requests by their kind; they may overlap. */
  readonly work: readonly NamedSpan[];
  /** The small networks. */
  readonly networks: readonly NetworkProfile[];
}

/** What a request of each kind is answered with. */
export interface FrameResults {
  readonly 'find-faces': undefined;
  readonly start: undefined;
  readonly 'take-profile': FrameProfile;
  readonly 'open-portrait': PortraitInfo;
  readonly 'open-film': FilmInfo;
  readonly 'open-recording': RecordingInfo;
  readonly 'open-motion': undefined;
  readonly 'add-motion': undefined;
  readonly conditions: FrameConditions;
  readonly base: FrameBase;
  readonly shown: PixelBox | undefined;
  readonly 'driven-face': DrivenFace;
  readonly compose: ComposedPicture;
  readonly 'close-clip': undefined;
  readonly 'close-recording': undefined;
}

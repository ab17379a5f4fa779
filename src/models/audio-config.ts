/** Architecture of AniPortrait's audio networks as plain JSON. */

/** A wav2vec2 encoder of the base kind: post-norm layers, a group norm after the first convolution only. */
export interface Wav2Vec2Config {
  /** Channels, kernels and strides of the convolutions that turn samples into features. */
  readonly convChannels: readonly number[];
  readonly convKernels: readonly number[];
  readonly convStrides: readonly number[];
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Width inside the feed-forward networks. */
  readonly intermediateSize: number;
  /** Kernel and groups of the positional convolution. */
  readonly positionalKernel: number;
  readonly positionalGroups: number;
}

/** Audio2Mesh: an encoder, and two linear layers to offsets of the mesh's vertices. */
interface Audio2MeshConfig {
  readonly latentDim: number;
  /** Vertices of the mesh; the network gives three numbers for each. */
  readonly vertices: number;
}

/** Audio2Pose: an encoder, and an autoregressive decoder to head poses of six numbers. */
export interface Audio2PoseConfig {
  readonly latentDim: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Width inside the feed-forward networks. */
  readonly intermediateSize: number;
  /** Rows of the positional table: the most frames of one piece. */
  readonly maxFrames: number;
  /** Rows of the table of speakers. */
  readonly speakers: number;
}

/** AniPortrait's way from speech to motion. */
export interface AniPortraitAudioConfig {
  readonly type: 'aniportrait-audio';
  /** Samples a second of the speech. */
  readonly sampleRate: number;
  /** Frames a second of the motion. */
  readonly fps: number;
  /** Architecture of both encoders; each network has weights of its own. */
  readonly encoder: Wav2Vec2Config;
  readonly mesh: Audio2MeshConfig;
  /** Null where the bundle has no head poses of its own. */
  readonly pose: Audio2PoseConfig | null;
}

/** The networks of AniPortrait. Source: `inference_audio.yaml`, and wav2vec2-base-960h's configuration. */
export const ANIPORTRAIT_AUDIO: AniPortraitAudioConfig = {
  type: 'aniportrait-audio',
  sampleRate: 16000,
  fps: 30,
  encoder: {
    convChannels: [512, 512, 512, 512, 512, 512, 512],
    convKernels: [10, 3, 3, 3, 3, 2, 2],
    convStrides: [5, 2, 2, 2, 2, 2, 2],
    hiddenSize: 768,
    numLayers: 12,
    numHeads: 12,
    intermediateSize: 3072,
    positionalKernel: 128,
    positionalGroups: 16,
  },
  mesh: { latentDim: 512, vertices: 468 },
  pose: {
    latentDim: 512,
    numLayers: 8,
    numHeads: 8,
    intermediateSize: 1024,
    maxFrames: 600,
    speakers: 100,
  },
};

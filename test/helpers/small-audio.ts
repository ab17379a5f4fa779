import type { SpeechPoseConfig } from '../../src/models/audio2pose.ts';

/** AniPortrait's audio networks in small, as in test/golden/networks. */
export const SMALL_AUDIO: SpeechPoseConfig = {
  type: 'aniportrait-audio',
  sampleRate: 16000,
  fps: 30,
  encoder: {
    convChannels: [32, 32, 32, 32, 32, 32, 32],
    convKernels: [10, 3, 3, 3, 3, 2, 2],
    convStrides: [5, 2, 2, 2, 2, 2, 2],
    hiddenSize: 64,
    numLayers: 3,
    numHeads: 4,
    intermediateSize: 128,
    positionalKernel: 128,
    positionalGroups: 16,
  },
  mesh: { latentDim: 64, vertices: 468 },
  pose: { latentDim: 64, numLayers: 8, numHeads: 8, intermediateSize: 128, maxFrames: 600, speakers: 100 },
};

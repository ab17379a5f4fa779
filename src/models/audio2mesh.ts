/**
 * Audio2Mesh: speech to offsets of the face mesh, one vector for each frame of 30 a second.
 *
 * Source: `Audio2MeshModel` of AniPortrait, commit 7f6593f.
 */
import { GraphBuilder } from '../onnx/graph.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import type { AniPortraitAudioConfig, Wav2Vec2Config } from './audio-config.ts';
import { at, linear, type Net, opsetFor } from './layers.ts';
import { addFeatureExtractor, addSpeechEncoder } from './wav2vec2.ts';
import { type NetworkDescription, WeightReader, type WeightSpec } from './weight-reader.ts';

/** Length of the speech that a description's operations are for; the graphs themselves take any. */
export interface SpeechLength {
  readonly samples: number;
  readonly frames: number;
}

/** Numbers of one vertex. */
const COORDINATES = 3;
const ONE_SECOND: SpeechLength = { samples: 16000, frames: 30 };

/** What both motion networks begin with: the graph of the convolutions over samples. */
export function addSpeechFeatures(
  weights: WeightReader,
  config: Wav2Vec2Config,
  { samples }: SpeechLength,
): Net {
  const graph = new GraphBuilder('speech-features', { opset: opsetFor('cpu') });
  const net: Net = { graph, weights, device: 'cpu', cost: { flops: 0 } };
  const audio = graph.input('audio', [1, 'samples']);
  const features = addFeatureExtractor(at(net, 'audio_encoder'), config, audio, samples);
  graph.output('features', features, [1, 'features', config.convChannels.at(-1)!]);
  return net;
}

const isFeatureKey = (key: string): boolean => key.startsWith('audio_encoder.feature_extractor.');

/**
 * Graph of the convolutions over samples of a motion network: `audio` [1, samples], 16 kHz, normalised, to `features`
 * [1, n, channels]. For the CPU, like all graphs of speech.
 *
 * @throws {@link ModelError} that names all missing, surplus and misshapen weights.
 */
export function buildSpeechFeatures(config: Wav2Vec2Config, weights: WeightSource): GraphBuilder {
  const reader = WeightReader.open(weights);
  const { graph } = addSpeechFeatures(reader, config, ONE_SECOND);
  reader.finish('speech encoder', isFeatureKey);
  return graph;
}

function addMeshHead(weights: WeightReader, config: AniPortraitAudioConfig, { frames }: SpeechLength): Net {
  const { encoder, mesh } = config;
  const outDim = COORDINATES * mesh.vertices;
  const graph = new GraphBuilder('audio2mesh', { opset: opsetFor('cpu') });
  const net: Net = { graph, weights, device: 'cpu', cost: { flops: 0 } };
  const features = graph.input('features', [1, 'frames', encoder.convChannels.at(-1)!]);
  const hidden = addSpeechEncoder(at(net, 'audio_encoder'), encoder, features, frames);
  // No activation lies between the two, but one matrix for both would be no smaller.
  const latent = linear(net, hidden, 'in_fn', { rows: frames, in: encoder.hiddenSize, out: mesh.latentDim });
  const offsets = linear(net, latent, 'out_fn', { rows: frames, in: mesh.latentDim, out: outDim });
  graph.output('mesh', offsets, ['frames', outDim]);
  return net;
}

/**
 * Graph of the rest of Audio2Mesh: `features` [1, frames, channels], interpolated to the frames, to `mesh`
 * [frames, 3 · vertices] in centimetres.
 *
 * @throws {@link ModelError} that names all missing, surplus and misshapen weights.
 */
export function buildAudio2Mesh(config: AniPortraitAudioConfig, weights: WeightSource): GraphBuilder {
  const reader = WeightReader.open(weights);
  const { graph } = addMeshHead(reader, config, ONE_SECOND);
  reader.finish('Audio2Mesh', (key) => !isFeatureKey(key));
  return graph;
}

/** Weights of Audio2Mesh, and the operations for speech of one length; reads nothing. */
export function describeAudio2Mesh(config: AniPortraitAudioConfig, length: SpeechLength): NetworkDescription {
  return describeTogether([
    addSpeechFeatures(WeightReader.listing(), config.encoder, length),
    addMeshHead(WeightReader.listing(), config, length),
  ]);
}

/** One description of several graphs that read one file. */
export function describeTogether(nets: readonly Net[]): NetworkDescription {
  const specs = new Map<string, WeightSpec>();
  for (const net of nets) {
    for (const spec of net.weights.specs()) {
      if (!specs.get(spec.key)?.used) specs.set(spec.key, spec);
    }
  }
  return {
    weights: [...specs.values()],
    flops: nets.reduce((sum, { cost }) => sum + cost.flops, 0),
  };
}

/**
 * Audio2Pose: speech to head poses, one after another. The decoder looks back at its own poses only, so that keys and
 * values of past frames are kept instead of computed again, and its attention to the speech sees one frame only, which
 * makes it a linear map of that frame, computed for all frames at once.
 *
 * Source: `Audio2PoseModel` of AniPortrait, commit 7f6593f; the distance penalty is that of Press et al. 2022,
 * arXiv:2108.12409.
 */
import { GraphBuilder, type Value } from '../onnx/graph.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import type { AniPortraitAudioConfig, Audio2PoseConfig } from './audio-config.ts';
import { addSpeechFeatures, describeTogether, type SpeechLength } from './audio2mesh.ts';
import { add, at, layerNorm, linear, type Net, opsetFor, weight } from './layers.ts';
import { addSpeechEncoder } from './wav2vec2.ts';
import { type NetworkDescription, WeightReader } from './weight-reader.ts';

/** Numbers of a pose. */
const POSE_VALUES = 6;

/** A description whose head poses have a network. */
export type SpeechPoseConfig = AniPortraitAudioConfig & { readonly pose: Audio2PoseConfig };

const isFeatureKey = (key: string): boolean => key.startsWith('audio_encoder.feature_extractor.');
const isSpeechKey = (key: string): boolean =>
  key.startsWith('audio_encoder.') || key.startsWith('in_fn.') || key.includes('.multihead_attn.');

/** Decay of each head's attention with the distance in frames: 1/2 … 1/256 for eight heads. */
export function distanceSlopes(heads: number): Float32Array {
  return Float32Array.from({ length: heads }, (_, head) => 2 ** ((-8 * (head + 1)) / heads));
}

function addPoseMemory(weights: WeightReader, config: SpeechPoseConfig, { frames }: SpeechLength): Net {
  const { encoder } = config;
  const { latentDim: width, numLayers: layers } = config.pose;
  const graph = new GraphBuilder('audio2pose-memory', { opset: opsetFor('cpu') });
  const net: Net = { graph, weights, device: 'cpu', cost: { flops: 0 } };
  const features = graph.input('features', [1, 'frames', encoder.convChannels.at(-1)!]);
  const hidden = addSpeechEncoder(at(net, 'audio_encoder'), encoder, features, frames);
  const memory = linear(net, hidden, 'in_fn', { rows: frames, in: encoder.hiddenSize, out: width });
  const square = { rows: frames, in: width, out: width };
  const crossed = Array.from({ length: layers }, (_, index) => {
    const layer = at(net, `transformer_decoder.layers.${index}.multihead_attn`);
    // Frame i sees frame i of the speech only: softmax over one key is 1, so queries and keys do not matter.
    const third = (key: string, stored: readonly number[], dims: readonly number[]): Value => {
      const { read } = layer.weights.take(key, stored);
      const size = dims.reduce((product, dim) => product * dim, 1);
      return graph.weight(layer.weights.name(`${key}.value`), () => read().subarray(2 * size), dims);
    };
    const matrix = third('in_proj_weight', [3 * width, width], [width, width]);
    const bias = third('in_proj_bias', [3 * width], [width]);
    const value = graph.op('Gemm', [memory, matrix, bias], { transB: 1 });
    net.cost.flops += 2 * frames * width * width;
    return graph.op('Unsqueeze', [linear(layer, value, 'out_proj', square), graph.int64([1])]);
  });
  graph.output('memory', memory, ['frames', width]);
  graph.output('crossed', graph.op('Concat', crossed, { axis: 1 }), ['frames', layers, width]);
  return net;
}

/**
 * Graph of the speech side of Audio2Pose: `features` [1, frames, channels] to `crossed` [frames, layers, latentDim], what
 * every layer of the decoder adds at every frame, and `memory` [frames, latentDim], of which it is made.
 *
 * @throws {@link ModelError} that names all missing, surplus and misshapen weights.
 */
export function buildPoseMemory(config: SpeechPoseConfig, weights: WeightSource): GraphBuilder {
  const reader = WeightReader.open(weights);
  const { graph } = addPoseMemory(reader, config, { samples: 0, frames: 1 });
  reader.finish('Audio2Pose speech encoder', (key) => isSpeechKey(key) && !isFeatureKey(key));
  return graph;
}

function addPoseStep(weights: WeightReader, config: SpeechPoseConfig): Net {
  const { latentDim: width, numLayers: layers, numHeads: heads, intermediateSize, maxFrames } = config.pose;
  const depth = width / heads;
  const graph = new GraphBuilder('audio2pose-step', { opset: opsetFor('cpu') });
  const net: Net = { graph, weights, device: 'cpu', cost: { flops: 0 } };
  const pose = graph.input('pose', [1, POSE_VALUES]);
  const position = graph.input('position', [1]);
  const speaker = graph.input('speaker', [1]);
  const crossed = graph.input('crossed', [layers, width]);
  const past = (name: string): Value[] => {
    const value = graph.input(name, [layers, heads, 'past', depth]);
    return graph.ops('Split', [value], {
      attributes: { axis: 0, num_outputs: layers },
      outputs: layers,
    });
  };
  const pastKeys = past('keys');
  const pastValues = past('values');
  const crossedRows = graph.ops('Split', [crossed], {
    attributes: { axis: 0, num_outputs: layers },
    outputs: layers,
  });

  const row = (table: Value, index: Value): Value => graph.op('Gather', [table, graph.cast(index, 'int64')]);
  const places = weight(net, 'PPE.pe', [1, maxFrames, width], [maxFrames, width]);
  const speakers = weight(net, 'id_embed.weight', [config.pose.speakers, width]);
  const embedded = linear(net, pose, 'pose_map', { rows: 1, in: POSE_VALUES, out: width });
  let x = add(net, add(net, embedded, row(places, position)), row(speakers, speaker));

  // −distance · slope for every key so far.
  const numbers = graph.float32(
    'numbers',
    Float32Array.from({ length: maxFrames }, (_, i) => i),
    [maxFrames],
  );
  const count = graph.op('Add', [graph.cast(position, 'int64'), graph.int64([1])]);
  const seen = graph.op('Slice', [numbers, graph.int64([0]), count]);
  const slopes = graph.float32('slopes', distanceSlopes(heads), [heads, 1, 1]);
  const penalty = graph.op('Mul', [graph.op('Sub', [seen, position]), slopes]);
  const scale = graph.scalar(1 / Math.sqrt(depth));

  const keys: Value[] = [];
  const values: Value[] = [];
  const square = { rows: 1, in: width, out: width };
  for (let index = 0; index < layers; index++) {
    const layer = at(net, `transformer_decoder.layers.${index}`);
    const packed = graph.op(
      'Gemm',
      [
        x,
        weight(layer, 'self_attn.in_proj_weight', [3 * width, width]),
        weight(layer, 'self_attn.in_proj_bias', [3 * width]),
      ],
      { transB: 1 },
    );
    net.cost.flops += 6 * width * width;
    const [query, key, value] = graph
      .ops('Split', [packed], { attributes: { axis: 1, num_outputs: 3 }, outputs: 3 })
      .map((part) => graph.op('Reshape', [part, graph.int64([1, heads, 1, depth])]));
    keys.push(graph.op('Concat', [pastKeys[index]!, key!], { axis: 2 }));
    values.push(graph.op('Concat', [pastValues[index]!, value!], { axis: 2 }));
    const turned = graph.op('Transpose', [keys[index]!], { perm: [0, 1, 3, 2] });
    const scores = graph.op('MatMul', [graph.op('Mul', [query!, scale]), turned]);
    const shares = graph.op('Softmax', [graph.op('Add', [scores, penalty])], { axis: -1 });
    const mixed = graph.op('Reshape', [
      graph.op('MatMul', [shares, values[index]!]),
      graph.int64([1, width]),
    ]);
    x = layerNorm(layer, add(net, x, linear(layer, mixed, 'self_attn.out_proj', square)), 'norm1', width);
    x = layerNorm(layer, add(net, x, crossedRows[index]!), 'norm2', width);
    const hidden = linear(layer, x, 'linear1', { rows: 1, in: width, out: intermediateSize });
    const fed = linear(layer, graph.op('Relu', [hidden]), 'linear2', {
      rows: 1,
      in: intermediateSize,
      out: width,
    });
    x = layerNorm(layer, add(net, x, fed), 'norm3', width);
  }
  graph.output('next', linear(net, x, 'pose_map_r', { rows: 1, in: width, out: POSE_VALUES }), [
    1,
    POSE_VALUES,
  ]);
  const stacked = [layers, heads, 'all', depth];
  graph.output('all_keys', graph.op('Concat', keys, { axis: 0 }), stacked);
  graph.output('all_values', graph.op('Concat', values, { axis: 0 }), stacked);
  return net;
}

/**
 * Graph of one step of Audio2Pose's decoder. Inputs: `pose` [1, 6], that of the frame before, zeros at first;
 * `position` [1], the frame's number in the sequence, from 0; `speaker` [1], from 0; `crossed` [layers, latentDim], the
 * frame's row of {@link buildPoseMemory}; `keys` and `values` [layers, heads, position, depth] of the frames before.
 * Outputs: `next` [1, 6]; `all_keys` and `all_values` with this frame's appended.
 *
 * @throws {@link ModelError} that names all missing, surplus and misshapen weights.
 */
export function buildPoseStep(config: SpeechPoseConfig, weights: WeightSource): GraphBuilder {
  const reader = WeightReader.open(weights);
  const { graph } = addPoseStep(reader, config);
  reader.finish('Audio2Pose decoder', (key) => !isSpeechKey(key));
  return graph;
}

/** Weights of Audio2Pose, and the operations for speech of one length but those of the decoder's self-attention. */
export function describeAudio2Pose(config: SpeechPoseConfig, length: SpeechLength): NetworkDescription {
  const step = addPoseStep(WeightReader.listing(), config);
  step.cost.flops *= length.frames;
  return describeTogether([
    addSpeechFeatures(WeightReader.listing(), config.encoder, length),
    addPoseMemory(WeightReader.listing(), config, length),
    step,
  ]);
}

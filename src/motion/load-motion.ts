/** The networks that make a bundle's motion, loaded, and the motion of clips that they make. */

import type { AniPortraitAudioConfig } from '../models/audio-config.ts';
import { buildAudio2Mesh, buildSpeechFeatures } from '../models/audio2mesh.ts';
import { buildPoseMemory, buildPoseStep, type SpeechPoseConfig } from '../models/audio2pose.ts';
import type { Bundle, BundlePart } from '../models/bundle.ts';
import type { GraphBuilder } from '../onnx/graph.ts';
import type { Network } from '../runtime/engine.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import { parseEmotions } from './emotions.ts';
import { loadExpressionBasis } from './expression-basis.ts';
import { LivingMotion } from './living-motion.ts';
import { parseMotionConfig } from './motion-config.ts';
import { buildMotionNetwork } from './motion-network.ts';
import type { MotionSource } from './motion-source.ts';
import { ClipMotion, type ClipMotionOptions, type MotionScales } from './speech-clip-motion.ts';
import { SpeechMotion, type SpeechNetworks } from './speech-motion.ts';

/** What the motion of one clip depends on. */
export interface MotionOptions extends Pick<ClipMotionOptions, 'pcm' | 'fps' | 'frames' | 'mesh' | 'signal'> {
  readonly scales: MotionScales;
}

/** Makes the motion of clips with networks that are loaded. */
export type MotionFactory = (options: MotionOptions) => MotionSource;

/**
 * Loads a graph into an engine; `weights` may be closed when it returns. `weightsKey` names the state of the graph's
 * weights: graphs with equal keys have the same under the same names.
 */
export type LoadGraph = (name: string, graph: GraphBuilder, weightsKey: unknown) => Promise<Network>;

/**
 * @param load - where the networks run: on the CPU, for which their graphs are made.
 * @throws {@link ModelError} if the bundle's description or its weights are damaged.
 */
export async function loadMotion(bundle: Bundle, load: LoadGraph): Promise<MotionFactory> {
  const { motion } = bundle.description;
  return motion.type === 'aniportrait-audio'
    ? loadSpeechMotion(bundle, motion as AniPortraitAudioConfig, load)
    : loadMelMotion(bundle, load);
}

/** The weights of a part, by the hash of its file. */
function stateOf({ description }: Bundle, part: BundlePart): unknown {
  return { precision: 'float32', states: [description.files[part]?.sha256] };
}

async function loadMelMotion(bundle: Bundle, load: LoadGraph): Promise<MotionFactory> {
  const config = parseMotionConfig(bundle.description.motion, bundle.folder);
  const weights = openSafetensors(bundle.pathOf('motion'));
  try {
    const network = await load('motion', buildMotionNetwork({ config, weights }), stateOf(bundle, 'motion'));
    const basis = loadExpressionBasis(weights);
    return (options) =>
      withLife(new ClipMotion({ ...options, network, config, basis }), options, {
        sampleRate: config.sampleRate,
        generates: true,
      });
  } finally {
    weights.dispose();
  }
}

async function loadSpeechMotion(
  bundle: Bundle,
  config: AniPortraitAudioConfig,
  load: LoadGraph,
): Promise<MotionFactory> {
  const withWeights = async <T>(
    part: 'audio2mesh' | 'audio2pose',
    use: (
      weights: WeightSource,
      loadPart: (name: string, graph: GraphBuilder) => Promise<Network>,
    ) => Promise<T>,
  ): Promise<T> => {
    const weights = openSafetensors(bundle.pathOf(part));
    try {
      return await use(weights, (name, graph) => load(name, graph, stateOf(bundle, part)));
    } finally {
      weights.dispose();
    }
  };
  const mesh = await withWeights('audio2mesh', async (weights, loadPart) => ({
    meshFeatures: await loadPart('speech features of the mesh', buildSpeechFeatures(config.encoder, weights)),
    mesh: await loadPart('audio2mesh', buildAudio2Mesh(config, weights)),
  }));
  const pose =
    config.pose === null
      ? null
      : await withWeights('audio2pose', async (weights, loadPart) => ({
          features: await loadPart(
            'speech features of the pose',
            buildSpeechFeatures(config.encoder, weights),
          ),
          memory: await loadPart('audio2pose memory', buildPoseMemory(config as SpeechPoseConfig, weights)),
          step: await loadPart('audio2pose step', buildPoseStep(config as SpeechPoseConfig, weights)),
        }));
  const networks: SpeechNetworks = { ...mesh, pose };
  return (options) => {
    const { pcm, fps, mesh: portraitMesh, scales, signal } = options;
    const generates = scales.faceMotion === 'generated';
    const speech = new SpeechMotion({
      networks,
      config,
      pcm,
      fps,
      mesh: portraitMesh,
      seed: scales.seed,
      expressionScale: scales.expressionScale,
      mouthScale: scales.mouthScale,
      // What is generated takes the place of the networks'.
      blinkScale: generates ? 0 : scales.blinkScale,
      headPoseScale: scales.still || generates ? 0 : scales.headPoseScale,
      signal,
    });
    if (!generates && scales.emotion === undefined) return speech;
    return withLife(speech, options, { sampleRate: config.sampleRate, generates });
  };
}

/** `source` with head, brows, lids and emotion as the options ask for them. */
function withLife(
  source: MotionSource,
  { pcm, fps, mesh, scales }: MotionOptions,
  { sampleRate, generates }: { readonly sampleRate: number; readonly generates: boolean },
): MotionSource {
  return new LivingMotion({
    source,
    pcm,
    sampleRate,
    fps,
    mesh,
    seed: scales.seed,
    style: scales.style,
    emotions: scales.emotion === undefined ? {} : parseEmotions(scales.emotion),
    expressionScale: scales.expressionScale,
    headPoseScale: scales.still ? 0 : scales.headPoseScale,
    blinkScale: scales.blinkScale,
    generates,
  });
}

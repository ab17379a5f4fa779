/**
 * The course of a UNet from conv_in to the end of the last up block, shared by the reference and the denoising UNet.
 *
 * Source: UNet2DConditionModel of diffusers 0.24 and UNet3DConditionModel of AniPortrait, commit 7f6593f.
 */
import type { Value } from '../onnx/graph.ts';
import {
  downsample,
  motionModule,
  resnet,
  type TimeCondition,
  timeMlp,
  timestepSinusoids,
} from './blocks.ts';
import { at, conv, type FeatureMap, inPieces, type Net, silu } from './layers.ts';
import type { UnetConfig } from './unet-config.ts';
import { upsample } from './upsample.ts';

/** eps of the group norms in residual blocks and before conv_out. */
export const UNET_EPSILON = 1e-5;

/** What differs between the two UNets. */
interface UnetCourse {
  /** Adds nodes; a course may replace it on the way. */
  net: Net;
  readonly config: UnetConfig;
  /** Clips; the images of one clip follow each other. */
  readonly batch: number;
  /** Whether motion modules run, where the configuration has them. */
  readonly motion: boolean;
  /** The spatial transformer at `path`. */
  transform(path: string, x: FeatureMap, heads: number): FeatureMap;
  /** Adds pose feature `index`, if there are any. */
  pose?(index: number, x: FeatureMap): FeatureMap;
  /** To a size, with weights below `conv`. @defaultValue {@link upsample} */
  readonly upsample?: typeof upsample;
}

/**
 * SiLU of the time embedding, [1, 4 · first width], for a float32 timestep of shape [1]; every residual block reads it.
 */
export function timeEmbedding(
  net: Net,
  timestep: Value,
  config: UnetConfig,
  condition?: TimeCondition,
): Value {
  const width = config.blockOutChannels[0]!;
  const sinusoids = timestepSinusoids(net, timestep, 1, width);
  const shape = { rows: 1, width, out: 4 * width, condition };
  return silu(net, timeMlp(at(net, 'time_embedding'), sinusoids, shape));
}

/** Runs conv_in, the down blocks, the middle and the up blocks on `latents`. */
export function runUnet(course: UnetCourse, latents: FeatureMap, time: Value): FeatureMap {
  const { config, batch } = course;
  const { blockOutChannels, layersPerBlock, attentionLevels, numHeads, normNumGroups: groups } = config;
  const motion = course.motion ? config.motion : null;
  const last = blockOutChannels.length - 1;
  const timeInput = { value: time, width: 4 * blockOutChannels[0]! };
  const posed = (index: number, x: FeatureMap): FeatureMap => course.pose?.(index, x) ?? x;

  const residual = (path: string, x: FeatureMap, out: number): FeatureMap =>
    resnet(at(course.net, path), x, { out, groups, epsilon: UNET_EPSILON, time: timeInput });
  const move = (path: string, x: FeatureMap, moves: boolean | undefined): FeatureMap =>
    motion === null || !moves
      ? x
      : motionModule(at(course.net, path), x, {
          batch,
          heads: motion.numHeads,
          groups,
          attentionBlocks: motion.numAttentionBlocks,
          tableLength: motion.positionalTableLength,
        });
  const layer = (block: string, index: number, input: FeatureMap, level: number): FeatureMap => {
    const x = inPieces(course.net, input, 0, (piece) => {
      const made = residual(`${block}.resnets.${index}`, piece, blockOutChannels[level]!);
      if (!attentionLevels[level]) return made;
      return course.transform(`${block}.attentions.${index}`, made, numHeads[level]!);
    });
    return move(`${block}.motion_modules.${index}`, x, motion?.levels[level]);
  };

  let x = posed(0, conv(course.net, latents, 'conv_in', { out: blockOutChannels[0]!, kernel: 3 }));
  const skips = [x];
  for (let level = 0; level <= last; level++) {
    const block = `down_blocks.${level}`;
    for (let index = 0; index < layersPerBlock; index++) {
      x = layer(block, index, x, level);
      skips.push(x);
    }
    if (level < last) {
      x = downsample(at(course.net, `${block}.downsamplers.0`), x);
      skips.push(x);
    }
    // After the skips were taken: pose features beyond the first never enter one.
    x = posed(level + 1, x);
  }

  x = residual('mid_block.resnets.0', x, blockOutChannels[last]!);
  if (config.midBlockAttention) x = course.transform('mid_block.attentions.0', x, numHeads[last]!);
  x = move('mid_block.motion_modules.0', x, motion?.midBlock);
  x = residual('mid_block.resnets.1', x, blockOutChannels[last]!);

  for (let i = 0; i <= last; i++) {
    const level = last - i;
    const block = `up_blocks.${i}`;
    for (let index = 0; index <= layersPerBlock; index++) {
      const skip = skips.pop()!;
      const value = course.net.graph.op('Concat', [x.value, skip.value], { axis: 1 });
      x = layer(block, index, { ...x, value, channels: x.channels + skip.channels }, level);
    }
    // To the size of the next skip, which is not twice this one where a level has an odd size.
    if (level > 0) {
      x = (course.upsample ?? upsample)(at(course.net, `${block}.upsamplers.0`), x, skips[skips.length - 1]!);
    }
  }
  return x;
}

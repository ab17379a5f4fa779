/** What holds between the options of a clip, where none can know it by itself. */
import { findOutputFormat, TRANSPARENT_ENDINGS } from '../../media/output-formats.ts';
import { DISTILLED_SAMPLERS, DISTILLED_STEPS } from '../../schedulers/create-scheduler.ts';
import { CLIP_OPTIONS } from './clip-options.ts';
import { atLeastOneOf, atMostOneOf, needsOneOf, outputIsNoInput } from './option-rules.ts';
import type { OptionRule, OptionsOf } from './option-spec.ts';

type ClipValues = OptionsOf<typeof CLIP_OPTIONS>;

/** What the kind of an output allows. */
const OUTPUT_RULES: readonly OptionRule<ClipValues>[] = [
  {
    find: ({ output, stream }) => {
      if (output !== '-' || stream !== undefined) return undefined;
      const problem = { expected: ['a file name, or ', { option: 'stream' }, ' with -'], got: '- alone' };
      return { option: 'output', problem };
    },
  },
  {
    find: ({ output, background }) => {
      if (output === undefined || background !== 'transparent') return undefined;
      const format = findOutputFormat(output);
      if (format === undefined || format.transparent !== undefined) return undefined;
      const problem = {
        expected: [
          'transparent with ',
          { option: 'output' },
          ` that ends in ${TRANSPARENT_ENDINGS.join(', ')} (a folder of PNGs)`,
        ],
        got: `it with ${output}`,
      };
      return { option: 'background', problem };
    },
  },
  {
    find: ({ framing, size, aspect }) => {
      const option = size !== undefined ? 'size' : aspect !== undefined ? 'aspect' : undefined;
      if (framing !== 'crop' || option === undefined) return undefined;
      const problem = {
        expected: ['none with ', { option: 'framing' }, ' crop, which is a square'],
        got: 'both; leave one out',
      };
      return { option, problem };
    },
  },
  {
    find: ({ output, crf, background }) => {
      if (output === undefined || crf === undefined) return undefined;
      const format = findOutputFormat(output);
      const isTransparent = background === 'transparent';
      if ((isTransparent ? format?.transparent : format?.opaque)?.hasQuality !== false) return undefined;
      const kind = isTransparent ? 'transparent ' : '';
      const problem = {
        expected: [`none with ${kind}`, { option: 'output' }, ` ${output}, which has no choice of quality`],
        got: String(crf),
      };
      return { option: 'crf', problem };
    },
  },
  {
    find: ({ output, fps }) => {
      const maxFps = output === undefined ? undefined : findOutputFormat(output)?.maxFps;
      if (maxFps === undefined || fps === undefined || fps <= maxFps) return undefined;
      const problem = {
        expected: [`at most ${maxFps} with `, { option: 'output' }, ` ${output}`],
        got: String(fps),
      };
      return { option: 'fps', problem };
    },
  },
];

/** Rules between options, in the order of messages. */
export const CLIP_RULES: readonly OptionRule<ClipValues>[] = [
  atLeastOneOf<ClipValues>(['portrait', 'source'], 'the path of a picture with one clear face'),
  atMostOneOf<ClipValues>(['portrait', 'source']),
  // A film has its own head and eyes, and the new voice its mouth.
  atMostOneOf<ClipValues>(['source', 'driving']),
  atMostOneOf<ClipValues>(['source', 'motion']),
  atMostOneOf<ClipValues>(['source', 'headMotion']),
  atMostOneOf<ClipValues>(['source', 'poseVideo']),
  atLeastOneOf<ClipValues>(
    ['audio', 'driving', 'motion', 'poseVideo', 'idle'],
    'the path of a speech recording',
  ),
  atMostOneOf<ClipValues>(['driving', 'motion']),
  atMostOneOf<ClipValues>(['audio', 'idle']),
  atMostOneOf<ClipValues>(['driving', 'idle']),
  atMostOneOf<ClipValues>(['motion', 'idle']),
  atMostOneOf<ClipValues>(['source', 'idle']),
  // A film has its own end and beginning.
  atMostOneOf<ClipValues>(['source', 'loop']),
  ...['face', 'size', 'aspect', 'background'].map((key) =>
    atMostOneOf<ClipValues>(['source', key as 'face' | 'size' | 'aspect' | 'background']),
  ),
  atMostOneOf<ClipValues>(['size', 'aspect']),
  // Drawn lines move all of the face, and lie in a square.
  ...(['audio', 'driving', 'motion', 'headMotion', 'idle', 'loop', 'size', 'aspect'] as const).map((key) =>
    atMostOneOf<ClipValues>(['poseVideo', key]),
  ),
  needsOneOf<ClipValues>('fit', ['size', 'aspect']),
  needsOneOf<ClipValues>('soundtrack', ['audio', 'driving', 'poseVideo']),
  ...OUTPUT_RULES,
  needsOneOf<ClipValues>('drivingParts', ['driving', 'motion']),
  needsOneOf<ClipValues>('drivingMode', ['driving', 'motion'], CLIP_OPTIONS.drivingMode.default),
  needsOneOf<ClipValues>('drivingGaps', ['driving'], CLIP_OPTIONS.drivingGaps.default),
  needsOneOf<ClipValues>('drivingFace', ['driving', 'source']),
  needsOneOf<ClipValues>('audioTrack', ['audio', 'driving', 'poseVideo']),
  {
    find: ({ sampler, steps }) => {
      if (sampler === undefined || !DISTILLED_SAMPLERS.has(sampler)) return undefined;
      if (steps === undefined || steps <= DISTILLED_STEPS) return undefined;
      const problem = {
        expected: [`at most ${DISTILLED_STEPS} with `, { option: 'sampler' }, ` ${sampler}`],
        got: String(steps),
        hint: 'take another sampler for more',
      };
      return { option: 'steps', problem };
    },
  },
  {
    find: ({ source, framing }) => {
      if (source === undefined || framing !== 'crop') return undefined;
      const problem = {
        expected: ['paste-back with ', { option: 'source' }, ', which keeps its surroundings'],
        got: 'crop',
      };
      return { option: 'framing', problem };
    },
  },
  ...outputIsNoInput<ClipValues>(CLIP_OPTIONS),
];

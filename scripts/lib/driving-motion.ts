/** The motion that drives a clip, before anything is rendered. */
import type { FaceFinder } from '../../src/face/face-finder.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { frameCount } from '../../src/media/video-writer.ts';
import { openBundle } from '../../src/models/bundle.ts';
import { lipOpening, loadExpressionBasis } from '../../src/motion/expression-basis.ts';
import { parseMotionConfig } from '../../src/motion/motion-config.ts';
import { buildMotionNetwork } from '../../src/motion/motion-network.ts';
import { ClipMotion } from '../../src/motion/speech-clip-motion.ts';
import type { AnimateOptions } from '../../src/pipeline/animate-options.ts';
import { resolveOptions, shownFile } from '../../src/pipeline/resolve-options.ts';
import type { Engine } from '../../src/runtime/engine.ts';
import { openPortrait } from '../../src/scene/open-portrait.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';

/** The motion that drives a clip's mouth. */
export interface DrivingMouth {
  /** Distance of the inner lips in cm for every frame, of the posed mesh. */
  readonly openings: readonly number[];
  /** The same of the portrait as it is. */
  readonly portraitOpening: number;
  readonly fps: number;
}

/** The mouth of the clip that `animate` makes of these options. */
export async function readDrivingMouth(
  options: AnimateOptions,
  { engine, finder, ffmpeg }: { engine: Engine; finder: FaceFinder; ffmpeg: FfmpegInfo },
): Promise<DrivingMouth> {
  const scales = resolveOptions(options);
  const { description, folder, pathOf } = await openBundle(scales.bundle);
  const { resolution, fps } = description;
  const onNotice = (): void => {};
  const { mesh } = await openPortrait({
    path: shownFile(options),
    resolution,
    framing: 'crop',
    view: { type: 'warp' },
    finder,
    onNotice,
  });
  const { pcm, duration } = await readAudio(options.audio!, { ffmpeg });
  const config = parseMotionConfig(description.motion, folder);
  const weights = openSafetensors(pathOf('motion'));
  const network = await engine.load('motion', buildMotionNetwork({ config, weights }).toBytes());
  try {
    const frames = frameCount(duration, fps);
    const basis = loadExpressionBasis(weights);
    const motion = new ClipMotion({ network, config, basis, pcm, fps, frames, mesh, scales });
    const openings: number[] = [];
    for (let frame = 0; frame < frames; frame++) {
      const { offsets } = await motion.at(frame);
      openings.push(lipOpening(mesh.map((value, i) => value + offsets[i]!)));
    }
    return { openings, portraitOpening: lipOpening(mesh), fps };
  } finally {
    weights.dispose();
    await network.dispose();
  }
}

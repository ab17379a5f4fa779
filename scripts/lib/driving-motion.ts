/** The motion that drives a clip, before anything is rendered. */
import { lipOpening, loadExpressionBasis } from '../../src/motion/expression-basis.ts';
import { parseMotionConfig } from '../../src/motion/motion-config.ts';
import { buildMotionNetwork } from '../../src/motion/motion-network.ts';
import type { AnimateOptions } from '../../src/pipeline/animate-options.ts';
import { ClipMotion } from '../../src/pipeline/clip-motion.ts';
import { openJob, openPortrait } from '../../src/pipeline/open-job.ts';
import type { Engine } from '../../src/runtime/engine.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';

/** What a clip's mouth is told to do. */
export interface DrivingMouth {
  /** Distance of the inner lips in cm for every frame, of the posed mesh. */
  readonly openings: readonly number[];
  /** The same of the portrait as it is. */
  readonly portraitOpening: number;
  readonly fps: number;
}

/** The mouth of the clip that `animate` makes of these options. */
export async function readDrivingMouth(options: AnimateOptions, engine: Engine): Promise<DrivingMouth> {
  const job = await openJob({ ...options, overwrite: true }, () => {});
  const { mesh } = await openPortrait(job, engine, () => {});
  const { description, folder } = job.bundle;
  const config = parseMotionConfig(description.motion, folder);
  const weights = openSafetensors(job.bundle.pathOf('motion'));
  const network = await engine.load('motion', buildMotionNetwork({ config, weights }));
  try {
    const motion = new ClipMotion({
      network,
      config,
      basis: loadExpressionBasis(weights),
      pcm: job.audio.pcm,
      fps: job.fps,
      frames: job.frames,
      mesh,
      scales: job.options,
    });
    const openings: number[] = [];
    for (let frame = 0; frame < job.frames; frame++) {
      const { offsets } = await motion.at(frame);
      openings.push(lipOpening(mesh.map((value, i) => value + offsets[i]!)));
    }
    return { openings, portraitOpening: lipOpening(mesh), fps: job.fps };
  } finally {
    weights.dispose();
    await network.dispose();
  }
}

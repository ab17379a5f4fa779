/** Tells what a job will take, without doing it. */
import { Engine } from '../runtime/engine.ts';
import type { AnimateOptions, AnimationPlan } from './animate-options.ts';
import { FrameComposer } from './compose-frame.ts';
import { estimateJob } from './estimate-job.ts';
import { countEvaluations, openJob, openPortrait } from './open-job.ts';

/**
 * Checks all inputs as {@link animate} does, face included, and tells what the job will take. Writes nothing.
 *
 * @throws what {@link animate} throws before it renders.
 */
export async function planAnimation(options: AnimateOptions): Promise<AnimationPlan> {
  const notices: string[] = [];
  const notice = (message: string): void => {
    notices.push(message);
    options.onProgress?.({ type: 'notice', message });
  };
  const job = await openJob(options, notice);
  const { options: resolved, bundle, sampling, frames, fps, windows } = job;
  const engine = await Engine.open({ device: resolved.device, threads: resolved.threads, onNotice: notice });
  try {
    const cpuEngine = engine.device === 'cpu' ? engine : await Engine.open({ device: 'cpu' });
    const portrait = await openPortrait(job, cpuEngine, notice).finally(() =>
      cpuEngine === engine ? undefined : cpuEngine.dispose(),
    );
    const composer = new FrameComposer(portrait, resolved.framing === 'paste-back');
    const { width, height } = composer;
    const evaluations = countEvaluations(job);
    const estimate = await estimateJob({
      bundle,
      engine,
      windowFrames: windows[0]!.frames.length,
      evaluations,
      frames,
      pixels: width * height,
      audioSamples: job.audio.pcm.length,
    });
    return {
      frames,
      fps,
      duration: frames / fps,
      windows: windows.length,
      width,
      height,
      device: engine.device,
      bundle: bundle.description.name,
      sampler: sampling.sampler,
      steps: sampling.steps,
      guidance: sampling.guidance,
      denoiserEvaluations: evaluations,
      estimatedSeconds: estimate.seconds,
      estimatedMemoryBytes: estimate.memoryBytes,
      notices,
    };
  } finally {
    await engine.dispose();
  }
}

/** The main job: a portrait and a speech recording become a talking video. */
import { VideoWriter } from '../media/video-writer.ts';
import { loadExpressionBasis } from '../motion/expression-basis.ts';
import { parseMotionConfig } from '../motion/motion-config.ts';
import { Engine } from '../runtime/engine.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { AnimateOptions, AnimateResult, ProgressEvent } from './animate-options.ts';
import { ClipMotion } from './clip-motion.ts';
import { ClipNetworks, DECODE_FRAMES } from './clip-networks.ts';
import { FrameComposer } from './compose-frame.ts';
import { GraphThread } from './graph-thread.ts';
import { countEvaluations, openJob, openPortrait } from './open-job.ts';
import { renderClip } from './render-clip.ts';
import { RenderProgress } from './render-progress.ts';
import { Stopwatch } from './stopwatch.ts';

/**
 * Renders a talking video. Nothing appears under the output's name until it is complete; on any error, and when
 * `signal` aborts, nothing is left behind and all threads and child processes have ended.
 *
 * @throws {@link InvalidOptionsError} that names all options that are wrong.
 * @throws {@link MediaError} if a file cannot be read or written.
 * @throws {@link FaceError} if the portrait has no face that can be animated.
 * @throws {@link ModelError} if the bundle is incomplete or damaged.
 * @throws {@link EnvironmentError} if there is no ffmpeg, or the named device does not work.
 * @throws {@link SubprocessError} if the encoder fails.
 * @throws {@link NumericalError} if the denoiser's output is not finite.
 * @throws `signal.reason` if it aborts.
 * @example
 * const { output, frames } = await animate({ portrait: 'face.jpg', audio: 'speech.wav', output: 'talk.mp4' });
 */
export async function animate(options: AnimateOptions): Promise<AnimateResult> {
  const watch = new Stopwatch();
  const report = (event: ProgressEvent): void => options.onProgress?.(event);
  const notice = (message: string): void => report({ type: 'notice', message });
  options.signal?.throwIfAborted();

  report({ type: 'stage', stage: 'prepare' });
  const prepareBegin = watch.now();
  const job = await openJob(options, notice);
  const { options: resolved, bundle, sampling, frames, fps, windows } = job;
  const { signal, threads, device } = resolved;
  const engines: Engine[] = [];
  let graphs: GraphThread | undefined;
  let writer: VideoWriter | undefined;
  try {
    const denoisingEngine = await Engine.open({ device, threads, onNotice: notice });
    engines.push(denoisingEngine);
    const sideEngine = await Engine.open({ device: denoisingEngine.device, threads });
    engines.push(sideEngine);
    // The face networks and the motion network are small and made for the CPU.
    const cpuEngine =
      sideEngine.device === 'cpu'
        ? sideEngine
        : await Engine.open({ device: 'cpu', threads, onNotice: notice });
    if (cpuEngine !== sideEngine) engines.push(cpuEngine);
    const portrait = await openPortrait(job, cpuEngine, notice);
    watch.add('prepare', watch.now() - prepareBegin);
    signal?.throwIfAborted();

    report({ type: 'stage', stage: 'motion' });
    const motionBegin = watch.now();
    graphs = new GraphThread(bundle);
    const graphOptions = {
      windowFrames: windows[0]!.frames.length,
      decodeFrames: DECODE_FRAMES,
      loras: sampling.loras,
      device: cpuEngine.device,
    };
    const motionWeights = openSafetensors(bundle.pathOf('motion'));
    const motion = new ClipMotion({
      network: await cpuEngine.load('motion', await graphs.build('motion', graphOptions)),
      config: parseMotionConfig(bundle.description.motion, bundle.folder),
      basis: loadExpressionBasis(motionWeights),
      pcm: job.audio.pcm,
      fps,
      frames,
      mesh: portrait.mesh,
      scales: resolved,
      signal,
    });
    motionWeights.dispose();
    await motion.at(0);
    watch.add('motion', watch.now() - motionBegin);

    report({ type: 'stage', stage: 'load' });
    const networks = await watch.time('load', () =>
      ClipNetworks.load({
        bundle,
        graphs: graphs!,
        denoisingEngine,
        sideEngine,
        windowFrames: graphOptions.windowFrames,
        loras: sampling.loras,
        guided: sampling.guidance > 1,
        signal,
      }),
    );
    await graphs.dispose();
    graphs = undefined;
    await watch.time('reference', () => networks.bindReference(portrait.reference));
    signal?.throwIfAborted();

    report({ type: 'stage', stage: 'render' });
    const composer = new FrameComposer(portrait, resolved.framing === 'paste-back');
    const { width, height } = composer;
    writer = await VideoWriter.open({
      ffmpeg: job.ffmpeg,
      outputPath: job.output,
      width,
      height,
      fps,
      frames,
      audioPath: resolved.audio,
      force: resolved.overwrite,
      metadata: {
        comment: `lcm-portrait, ${sampling.sampler} ${sampling.steps} steps, seed ${resolved.seed}`,
      },
      signal,
    });
    const progress = new RenderProgress(frames, windows.length * sampling.scheduler.timesteps.length, report);
    await renderClip({ job, portrait, motion, networks, composer, writer, progress, watch });

    report({ type: 'stage', stage: 'finish' });
    await watch.time('encode', () => writer!.finish());
    return {
      output: job.output,
      frames,
      fps,
      duration: frames / fps,
      width,
      height,
      device: denoisingEngine.device,
      bundle: bundle.description.name,
      sampler: sampling.sampler,
      steps: sampling.steps,
      guidance: sampling.guidance,
      seed: resolved.seed,
      denoiserEvaluations: countEvaluations(job),
      times: watch.report(),
    };
  } finally {
    await writer?.dispose();
    await graphs?.dispose();
    await Promise.all(engines.map((engine) => engine.dispose()));
  }
}
